// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Where a packed file can be entered, from its first to its last byte.
final class SeekIndex {
  /// The last one is the end.
  let points: SeekPoints
  /// Whether somebody else said so: then the parts that are used are compared with it.
  let isBelieved: Bool

  var decodedSize: UInt64 { points.last?.decoded ?? 0 }

  /// Of BGZF blocks. What a .gzi file says is taken for true as far as it goes; the headers of the
  /// blocks behind its last entry say the rest, those of all blocks where there is no file.
  ///
  /// Errors: `unsupported` where something else stands between blocks; `corruptInput` for a .gzi file
  /// that cannot belong to this one; `truncatedInput`, `ioFailed`, `noMemory`.
  init(blocks source: ByteSource, fileSize: UInt64, gzi: String?) throws(WorkpoolError) {
    var points = SeekPoints()
    try points.append(SeekPoints.Point(packed: 0, decoded: 0))
    if let gzi { try Self.read(gzi, fileSize: fileSize, into: &points) }
    var walk = HeaderWalk(source, fileSize: fileSize, from: points.last!)
    while let block = try walk.block() {
      if block.decodedSize > 0 && walk.place != points.last { try points.append(walk.place) }
      walk.pass(block)
    }
    try points.append(walk.place)
    self.points = points
    isBelieved = gzi != nil
  }

  /// Of zstd frames, by a seek table or by their headers. Errors: as above.
  init(frames source: ByteSource, fileSize: UInt64) throws(WorkpoolError) {
    if let points = try ZstdSeekTable.read(source, fileSize: fileSize) {
      self.points = points
      isBelieved = true
      return
    }
    var points = SeekPoints()
    var walk = HeaderWalk(
      source, fileSize: fileSize, from: SeekPoints.Point(packed: 0, decoded: 0))
    while let frame = try walk.frame() {
      try points.append(walk.place)
      walk.pass(frame)
    }
    try points.append(walk.place)
    self.points = points
    isBelieved = false
  }

  private static func read(
    _ path: String, fileSize: UInt64, into points: inout SeekPoints
  ) throws(WorkpoolError) {
    let file = try ByteSource(path: path)
    let buffer = ByteBuffer()
    defer { withExtendedLifetime(buffer) {} }
    var room = try buffer.reserve(1 << 16).part(0..<1 << 16)
    guard try file.read(into: room.part(0..<8)) == 8 else { throw unfit(path) }
    var left = UnsafeRawBufferPointer(room).integer(at: 0, as: UInt64.self)
    // bgzip writes 2⁶⁴ − 1 for a file without data.
    if left == .max { left = 0 }
    guard left <= fileSize / 16 else { throw unfit(path) }
    while left > 0 {
      let size = Int(min(left, 4096)) * 16
      guard try file.read(into: room.part(0..<size)) == size else { throw unfit(path) }
      for entry in stride(from: 0, to: size, by: 16) {
        let bytes = UnsafeRawBufferPointer(room)
        let point = SeekPoints.Point(
          packed: bytes.integer(at: entry, as: UInt64.self),
          decoded: bytes.integer(at: entry + 8, as: UInt64.self))
        guard let last = points.last, point.packed > last.packed, point.packed < fileSize,
          point.decoded > last.decoded, point.decoded - last.decoded <= UInt64(UInt32.max)
        else { throw unfit(path) }
        try points.append(point)
      }
      left -= UInt64(size / 16)
    }
    room = room.part(0..<1)
    guard try file.read(into: room) == 0 else { throw unfit(path) }
  }

  private static func unfit(_ path: String) -> WorkpoolError {
    WorkpoolError(.corruptInput, "is no .gzi index of this file", path: path)
  }
}
