// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO

/// One output of a run, in the pieces that the stages use: gathering in order, packing on any worker,
/// writing in order.
final class ProcessWriter {
  let output: ProcessPlan.Output
  let isPacked: Bool
  let gatherer: SliceGatherer
  var sink: ByteSink?
  /// One for each worker, made when it is first needed.
  private var packers: [Packer?]
  private var plainBytes: UInt64 = 0

  init(_ output: ProcessPlan.Output, workers: Int) throws(WorkpoolError) {
    self.output = output
    isPacked = output.compression != .plain
    gatherer = SliceGatherer(sliceSize: output.compression.sliceSize)
    packers = Array(repeating: nil, count: workers)
    packers[0] = try Packer.make(output.compression, level: output.level)
  }

  /// The packer of a worker. Each worker touches its own place only.
  func packer(_ worker: Int) throws(WorkpoolError) -> Packer {
    if let packer = packers[worker] { return packer }
    let packer = try Packer.make(output.compression, level: output.level)
    packers[worker] = packer
    return packer
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(WorkpoolError) {
    if !isPacked { plainBytes += UInt64(bytes.count) }
    try sink?.write(bytes)
  }

  /// Writes what is left and what ends the format, and closes the output.
  func finish() throws(WorkpoolError) {
    if isPacked {
      let rest = ByteBuffer()
      rest.count = try gatherer.finish { (size) throws(WorkpoolError) in try rest.reserve(size) }
      let packed = ByteBuffer()
      let packer = try packer(0)
      packed.count = try packer.packEnd(
        rest.bytes, total: gatherer.total, into: try packed.reserve(packer.bound(rest.count)))
      try sink?.write(packed.bytes)
    }
    try sink?.close()
  }

  /// Uncompressed bytes, and bytes of the file.
  var bytes: UInt64 { isPacked ? gatherer.total : plainBytes }
  var packedBytes: UInt64 { sink?.bytesWritten ?? 0 }
}
