// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A window on the packed bytes of a file, moved forward by whoever unpacks them.
final class PackedInput {
  /// The longest look ahead: a zstd frame header (RFC 8878 §3.1.1.1) with its magic number.
  static let maxPeek = 18

  let source: ByteSource
  private let buffer = ByteBuffer()
  private let readSize: Int
  private var position = 0

  /// Where `unread` begins, in bytes from the start of the file.
  private(set) var offset: UInt64 = 0

  init(_ source: ByteSource, readSize: Int) throws(WorkpoolError) {
    self.source = source
    self.readSize = max(readSize, 1)
    try buffer.reserve(self.readSize + Self.maxPeek)
  }

  /// Bytes that are here.
  var unread: UnsafeRawBufferPointer { buffer.bytes.part(position..<buffer.count) }

  func skip(_ count: Int) {
    position += count
    offset += UInt64(count)
  }

  /// The next bytes, at least one; empty only at the end of the file.
  func more() throws(WorkpoolError) -> UnsafeRawBufferPointer {
    if position == buffer.count { try fill(from: 0) }
    return unread
  }

  /// At least `count` bytes, or as many as are left of the file.
  func peek(_ count: Int) throws(WorkpoolError) -> UnsafeRawBufferPointer {
    while buffer.count - position < count {
      let held = buffer.count - position
      memmove(buffer.memory.baseAddress!, buffer.memory.baseAddress! + position, held)
      position = 0
      try fill(from: held)
      if buffer.count == held { break }
    }
    return unread
  }

  /// The next byte, taken; nil at the end.
  func byte() throws(WorkpoolError) -> UInt8? {
    guard let byte = try more().first else { return nil }
    skip(1)
    return byte
  }

  /// Reads into `bytes`, past the window where it is empty.
  func read(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    let held = min(bytes.count, buffer.count - position)
    if held > 0 {
      bytes.copyMemory(from: unread.part(0..<held))
      skip(held)
      return held
    }
    let count = try source.read(into: bytes)
    offset += UInt64(count)
    return count
  }

  private func fill(from start: Int) throws(WorkpoolError) {
    position = 0
    buffer.count = start
    buffer.count += try source.read(into: buffer.memory.part(start..<start + readSize))
  }
}
