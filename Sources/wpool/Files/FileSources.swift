// SPDX-License-Identifier: MIT
import Workpool

extension Pipeline {
  /// Makes the bytes of a file the source, as they are, in blocks of `size`.
  func setBytes(of source: ByteSource, size: Int) throws(WorkpoolError) {
    try setSource("read") { block, context throws(WorkpoolError) in
      guard block.reserve(size) else { throw WorkpoolError(.noMemory, "no memory for a block") }
      source.isCancelled = { !context.isWanted }
      defer { source.isCancelled = nil }
      let count = try source.read(
        into: UnsafeMutableRawBufferPointer(start: block.pointee.data, count: size))
      if count == 0 { return .endOfInput }
      block.pointee.size = count
      block.pointee.meta.3 = source.bytesRead
      return .goOn
    }
  }

  /// Tells `progress` of every block.
  func addProgress(_ progress: FileProgress) throws(WorkpoolError) {
    try addStage("progress", .parallel) { block, _ throws(WorkpoolError) in
      progress.add(block)
      return .goOn
    }
  }
}
