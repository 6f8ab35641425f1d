// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Makes exact slices of one output's bytes, however they arrive: what is packed together
/// depends on the output's own bytes alone.
///
/// Threads: one at a time, in the order of the output.
public final class SliceGatherer {
  private let sliceSize: Int
  private let rest = ByteBuffer()
  /// Bytes gathered so far.
  public private(set) var total: UInt64 = 0

  /// - Parameter sliceSize: as `Compression.sliceSize`; 0 hands out all bytes as they come.
  public init(sliceSize: Int) { self.sliceSize = max(sliceSize, 1) }

  /// Takes `bytes` and puts all slices that are complete now, one after the other, at the start
  /// of the caller's memory; what is left waits for the next call.
  ///
  /// Errors: `noMemory` and what `reserve` throws; the output cannot be continued then.
  /// - Parameter reserve: called once if there is a slice; its memory is not part of `bytes`.
  /// - Returns: the bytes of the run, a multiple of the slice size.
  public func gather(
    _ bytes: UnsafeRawBufferPointer, reserve: Reserve
  ) throws(WorkpoolError) -> Int {
    let all = rest.count + bytes.count
    let run = all - all % sliceSize
    var taken = 0
    if run > 0 {
      let memory = try reserve(run)
      memory.copyMemory(from: rest.bytes)
      taken = run - rest.count
      memory.part(rest.count..<run).copyMemory(from: bytes.part(0..<taken))
      rest.removeAll()
    }
    try rest.append(bytes.part(taken..<bytes.count))
    total += UInt64(bytes.count)
    return run
  }

  /// Puts what is left, less than a slice, at the start of the caller's memory.
  public func finish(reserve: Reserve) throws(WorkpoolError) -> Int {
    try reserve(rest.count).copyMemory(from: rest.bytes)
    defer { rest.removeAll() }
    return rest.count
  }
}
