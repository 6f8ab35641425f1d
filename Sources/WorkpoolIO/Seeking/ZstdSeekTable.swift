// SPDX-License-Identifier: MIT
import WorkpoolCore

/// The seek table of zstd's seekable format 0.1.1: a skippable frame at the end of a file that lists
/// the packed and decoded size of every frame before it.
enum ZstdSeekTable {
  static let frameMagic: UInt32 = 0x184d_2a5e
  static let magic: UInt32 = 0x8f92_eab1
  /// Number of frames, a descriptor, the magic number.
  static let footerSize = 9
  static let maxFrames = 0x800_0000

  /// The frames of a file by the table at its end; nil where there is none that fits the file, as
  /// behind two files that were joined.
  static func read(_ source: ByteSource, fileSize: UInt64) throws(WorkpoolError) -> SeekPoints? {
    let (footer, table) = (ByteBuffer(), ByteBuffer())
    defer { withExtendedLifetime((footer, table)) {} }
    let room = try footer.reserve(footerSize).part(0..<footerSize)
    guard fileSize >= UInt64(footerSize + 8),
      try source.read(at: fileSize - UInt64(footerSize), into: room) == footerSize
    else { return nil }
    let bytes = UnsafeRawBufferPointer(room)
    let (count, flags) = (Int(bytes.integer(at: 0, as: UInt32.self)), bytes[4])
    guard bytes.integer(at: 5, as: UInt32.self) == magic, flags & 0x7c == 0,
      count <= maxFrames
    else { return nil }
    let entrySize = flags & 0x80 == 0 ? 8 : 12
    let tableSize = UInt64(8 + count * entrySize + footerSize)
    guard tableSize <= fileSize else { return nil }

    var points = SeekPoints()
    var end = SeekPoints.Point(packed: 0, decoded: 0)
    var at = fileSize - tableSize
    let head = try table.reserve(8).part(0..<8)
    guard try source.read(at: at, into: head) == 8,
      UnsafeRawBufferPointer(head).integer(at: 0, as: UInt32.self) == frameMagic,
      UnsafeRawBufferPointer(head).integer(at: 4, size: 4) == tableSize - 8
    else { return nil }
    at += 8
    var left = count
    while left > 0 {
      let size = min(left, 4096) * entrySize
      let piece = try table.reserve(size).part(0..<size)
      guard try source.read(at: at, into: piece) == size else { return nil }
      for entry in stride(from: 0, to: size, by: entrySize) {
        let entries = UnsafeRawBufferPointer(piece)
        try points.append(end)
        end.packed += entries.integer(at: entry, size: 4)
        end.decoded += entries.integer(at: entry + 4, size: 4)
      }
      at += UInt64(size)
      left -= size / entrySize
    }
    guard end.packed + tableSize == fileSize else { return nil }
    try points.append(end)
    return points
  }
}
