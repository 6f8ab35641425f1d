// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A window on the packed bytes of a file, moved forward by whoever unpacks them.
final class PackedInput {
  /// The longest look ahead: a zstd frame header (RFC 8878 §3.1.1.1) with its magic number.
  static let maxPeek = 18
  /// How far `skip` goes back: a codec that reads whole words took the beginning of what follows.
  static let maxBack = 8

  let source: ByteSource
  private let buffer = ByteBuffer()
  private let readSize: Int
  private var position = 0

  /// Where `unread` begins, in bytes from the start of the file.
  private(set) var offset: UInt64

  init(_ source: ByteSource, readSize: Int) throws(WorkpoolError) {
    self.source = source
    offset = source.bytesRead
    self.readSize = max(readSize, 1)
    try buffer.reserve(Self.maxBack + Self.maxPeek + self.readSize)
  }

  /// Bytes that are here.
  var unread: UnsafeRawBufferPointer { buffer.bytes.part(position..<buffer.count) }

  /// - Parameter count: of bytes that are here; from `-maxBack` where so many have been taken.
  func skip(_ count: Int) {
    position += count
    offset = UInt64(Int64(offset) + Int64(count))
  }

  /// The next bytes, at least one; empty only at the end of the file.
  func more() throws(WorkpoolError) -> UnsafeRawBufferPointer {
    if position == buffer.count { try fill() }
    return unread
  }

  /// At least `count` bytes, or as many as are left of the file.
  func peek(_ count: Int) throws(WorkpoolError) -> UnsafeRawBufferPointer {
    while buffer.count - position < count {
      let held = unread.count
      try fill()
      if unread.count == held { break }
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

  private func fill() throws(WorkpoolError) {
    let gone = max(position - Self.maxBack, 0)
    memmove(buffer.memory.baseAddress!, buffer.memory.baseAddress! + gone, buffer.count - gone)
    position -= gone
    buffer.count -= gone
    buffer.count += try source.readSome(
      into: buffer.memory.part(buffer.count..<buffer.count + readSize))
  }
}
