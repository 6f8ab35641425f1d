// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// Bytes on their way to one output.
final class OutputText {
  var bytes = GrowableMemory<UInt8>()

  var part: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: bytes.start, count: bytes.count)
  }
}

/// What a block of the pipeline carries through a run: a batch, and later what is written of it.
final class ProcessBlock {
  let batch: FASTQBatch
  let outputs: [OutputText]
  var extents: [BlockExtent?]
  /// Of the pipeline's block.
  var number: UInt64 = 0
  var decodedBytes = 0
  var basesIn = 0
  var basesOut = 0

  init(batch: FASTQBatch, streams: Int, outputs: Int) {
    self.batch = batch
    self.outputs = (0..<outputs).map { _ in OutputText() }
    extents = Array(repeating: nil, count: streams)
  }

  /// The block behind a pipeline's block.
  static func of(_ block: UnsafeMutablePointer<Block>) -> ProcessBlock {
    guard let data = block.pointee.data else { preconditionFailure("the source gave no block") }
    return Unmanaged<ProcessBlock>.fromOpaque(data).takeUnretainedValue()
  }
}

/// Blocks and memory that are used again. What was given back last is taken first, so that few of
/// them are in use when few blocks are in flight.
final class ProcessBlockPool: @unchecked Sendable {
  private let monitor: Monitor
  private var blocks: [ProcessBlock] = []
  private var memory: [(start: UnsafeMutablePointer<UInt8>, capacity: Int)] = []
  private let make: () throws(WorkpoolError) -> ProcessBlock

  init(_ make: @escaping () throws(WorkpoolError) -> ProcessBlock) throws(WorkpoolError) {
    monitor = try Monitor()
    self.make = make
  }

  deinit {
    for piece in memory { wpl_free(piece.start) }
    monitor.destroy()
  }

  func take() throws(WorkpoolError) -> ProcessBlock {
    monitor.lock()
    let block = blocks.popLast()
    monitor.unlock()
    if let block { return block }
    return try make()
  }

  func give(_ block: ProcessBlock) {
    for segment in block.batch.segments { give(&segment.text.bytes) }
    for output in block.outputs { give(&output.bytes) }
    block.batch.clear()
    monitor.lock()
    blocks.append(block)
    monitor.unlock()
  }

  /// Gives `bytes`, which is empty, memory that was used before, if there is some.
  func take(_ bytes: inout GrowableMemory<UInt8>) {
    guard bytes.capacity == 0 else { return }
    monitor.lock()
    let piece = memory.popLast()
    monitor.unlock()
    if let piece { bytes.adopt(piece.start, count: 0, capacity: piece.capacity) }
  }

  func give(_ bytes: inout GrowableMemory<UInt8>) {
    guard bytes.capacity > 0 else { return }
    let given = bytes.giveAway()
    guard let start = given.memory else { return }
    monitor.lock()
    memory.append((start, given.capacity))
    monitor.unlock()
  }
}

extension GrowableMemory where Element == UInt8 {
  /// Room for `size` bytes in all, those that are there kept, as one piece.
  mutating func room(_ size: Int) throws(WorkpoolError) -> UnsafeMutableRawBufferPointer {
    try reserve(size)
    return UnsafeMutableRawBufferPointer(start: start, count: capacity)
  }
}
