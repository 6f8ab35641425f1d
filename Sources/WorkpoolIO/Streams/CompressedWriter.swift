// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What a writer wrote.
public struct WriterInfo: Sendable {
  public var compression: Compression
  /// Bytes given to it.
  public var bytes: UInt64
  /// Bytes of the file.
  public var packedBytes: UInt64
}

/// Packs a stream of bytes into one output: gathers, packs and writes on the calling thread.
///
/// The file's bytes depend on the stream and the level alone, never on how the stream was cut
/// into calls.
///
/// Threads: one at a time.
public final class CompressedWriter {
  private let sink: ByteSink
  private let packer: Packer
  private let gatherer: SliceGatherer
  private let run = ByteBuffer()
  private let packed = ByteBuffer()
  private var failure: WorkpoolError?

  /// Bytes that are gathered before a plain output is written.
  private static let plainSize = 64 << 10
  /// Slices packed and written at once.
  private static let slicesPerRun = 16

  /// - Parameter level: within `compression.levels`, nil for its default.
  /// Errors: `invalidArgument`, `noMemory`.
  public init(
    _ sink: ByteSink, compression: Compression, level: Int? = nil
  ) throws(WorkpoolError) {
    self.sink = sink
    packer = try Packer.make(compression, level: level)
    gatherer = SliceGatherer(
      sliceSize: compression == .plain ? Self.plainSize : compression.sliceSize)
  }

  /// Writes to `path`, packed as its suffix says. Errors: also those of creating it.
  public convenience init(
    path: String, compression: Compression? = nil, level: Int? = nil
  ) throws(WorkpoolError) {
    let compression = compression ?? Compression(path: path)
    try self.init(ByteSink(path: path), compression: compression, level: level)
  }

  public var info: WriterInfo {
    WriterInfo(
      compression: packer.compression, bytes: gatherer.total, packedBytes: sink.bytesWritten)
  }

  /// Errors: as `ByteSink.write`, `noMemory`; every later call throws the same again.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(WorkpoolError) {
    try keepingFailure { () throws(WorkpoolError) in
      let most = Self.slicesPerRun * max(packer.compression.sliceSize, Self.plainSize)
      var taken = 0
      while taken < bytes.count {
        let part = bytes.part(taken..<min(taken + most, bytes.count))
        run.count = try gatherer.gather(part) { (size) throws(WorkpoolError) in
          try run.reserve(size)
        }
        if run.count > 0 { try writePacked(isLast: false) }
        taken += part.count
      }
    }
  }

  /// Writes what is left and what ends the format, and closes the output.
  public func finish() throws(WorkpoolError) -> WriterInfo {
    try keepingFailure { () throws(WorkpoolError) in
      run.count = try gatherer.finish { (size) throws(WorkpoolError) in try run.reserve(size) }
      try writePacked(isLast: true)
      try sink.close()
    }
    failure = WorkpoolError(.closed, "is finished", path: sink.name)
    return info
  }

  /// Closes the output as it is, incomplete. Does nothing after `finish`.
  public func abandon() {
    sink.abandon()
    failure = WorkpoolError(.closed, "was abandoned", path: sink.name)
  }

  private func writePacked(isLast: Bool) throws(WorkpoolError) {
    if packer.compression == .plain { return try sink.write(run.bytes) }
    let memory = try packed.reserve(packer.bound(run.count))
    packed.count =
      isLast
      ? try packer.packEnd(run.bytes, total: gatherer.total, into: memory)
      : try packer.pack(run.bytes, into: memory)
    try sink.write(packed.bytes)
  }

  private func keepingFailure(_ body: () throws(WorkpoolError) -> Void) throws(WorkpoolError) {
    if let failure { throw failure }
    do { try body() } catch {
      failure = error.inFile(sink.name)
      throw error.inFile(sink.name)
    }
  }
}
