// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO

/// A file that a step writes besides the reads.
public struct StepFile: Sendable {
  public var endpoint: Endpoint
  public var compression = Compression.plain
  public var level: Int?
  /// The step, for messages.
  public var owner: String
}

/// Where a step writes one of its files.
///
/// Threads: one at a time.
final class StepFileWriter {
  private let writer: SlicedWriter
  private var slices = GrowableMemory<UInt8>()
  private var packed = GrowableMemory<UInt8>()

  init(_ writer: SlicedWriter) { self.writer = writer }

  func write(_ bytes: UnsafeRawBufferPointer) throws(WorkpoolError) {
    guard bytes.count > 0 else { return }
    guard writer.isPacked else {
      try writer.write(bytes)
      return
    }
    let size = try writer.gather(bytes) { (size) throws(WorkpoolError) in
      try slices.room(size)
    }
    guard size > 0 else { return }
    let run = UnsafeRawBufferPointer(start: slices.start, count: size)
    let packedSize = try writer.pack(run, worker: 0) { (size) throws(WorkpoolError) in
      try packed.room(size)
    }
    try writer.write(UnsafeRawBufferPointer(start: packed.start, count: packedSize))
  }

  func write(_ text: String) throws(WorkpoolError) {
    var bytes = GrowableMemory<UInt8>()
    try bytes.append(Array(text.utf8))
    try write(bytes)
  }

  func write(_ bytes: borrowing GrowableMemory<UInt8>) throws(WorkpoolError) {
    try write(UnsafeRawBufferPointer(start: bytes.start, count: bytes.count))
  }

  func finish() throws(WorkpoolError) { try writer.finish() }
}

/// What a step tells about a run, for the run's report.
struct StepReport {
  var name: String
  /// A JSON value.
  var json: String
}
