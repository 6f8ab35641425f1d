// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A window on the packed bytes of a file, moved forward by whoever unpacks them.
final class PackedInput {
  /// How far `skip` goes back: a codec that reads whole words took the beginning of what follows.
  static let maxBack = 8

  /// What the file is called in messages.
  let name: String
  /// nil: all that there is lies in the window.
  private let source: ByteSource?
  private let buffer = ByteBuffer()
  private let readSize: Int
  private var position = 0

  /// Where `unread` begins, in bytes from the start of the file.
  private(set) var offset: UInt64

  init(_ source: ByteSource, readSize: Int) throws(WorkpoolError) {
    self.source = source
    offset = source.bytesRead
    name = source.name
    self.readSize = max(readSize, 1)
    try buffer.reserve(Self.maxBack + self.readSize)
  }

  /// A copy of bytes that lie at `offset` of the file.
  init(
    copying bytes: UnsafeRawBufferPointer, at offset: UInt64, of name: String
  ) throws(WorkpoolError) {
    source = nil
    self.name = name
    readSize = 0
    self.offset = offset
    try buffer.append(bytes)
  }

  /// Bytes that are here.
  var unread: UnsafeRawBufferPointer { buffer.bytes.part(position..<buffer.count) }

  /// The bytes stay where they are until more are asked for.
  /// - Parameter count: of bytes that are here; from `-maxBack` where so many have been taken.
  func skip(_ count: Int) {
    position += count
    offset = UInt64(Int64(offset) + Int64(count))
  }

  /// The next bytes, at least one; empty only at the end of the file.
  func more() throws(WorkpoolError) -> UnsafeRawBufferPointer {
    if position == buffer.count { _ = try fill() }
    return unread
  }

  /// At least `count` bytes, or as many as are left of the file. What is asked for stays in memory.
  func peek(_ count: Int) throws(WorkpoolError) -> UnsafeRawBufferPointer {
    while buffer.count - position < count, try fill() {}
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
    guard let source else { return 0 }
    let count = try source.read(into: bytes)
    offset += UInt64(count)
    return count
  }

  /// - Returns: false at the end of the file.
  private func fill() throws(WorkpoolError) -> Bool {
    guard let source else { return false }
    if buffer.memory.count - buffer.count < readSize {
      let gone = max(position - Self.maxBack, 0)
      if gone > 0, let start = buffer.memory.baseAddress {
        memmove(start, start + gone, buffer.count - gone)
        position -= gone
        buffer.count -= gone
      }
      // Twice, so that a long look ahead moves few bytes.
      if buffer.memory.count - buffer.count < readSize {
        try buffer.reserve(2 * buffer.count + readSize)
      }
    }
    let got = try source.readSome(
      into: buffer.memory.part(buffer.count..<buffer.count + readSize))
    buffer.count += got
    return got > 0
  }
}
