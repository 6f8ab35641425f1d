// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO

/// How many records a BAM file has, as the index beside it says (SAM specification §5.2: the bin that
/// is none, 37450, counts those of a reference; those without one are counted at the end).
enum BAMIndex {
  private static let counts = 37_450
  private static let mostBytes = 1 << 30

  /// - Returns: nil where there is no index, or one that does not tell.
  static func records(
    of path: String, _ included: SequenceFile.Included
  ) throws(WorkpoolError) -> Int? {
    let names =
      path.utf8.suffix(4).elementsEqual(".bam".utf8)
      ? [path + ".bai", String(decoding: path.utf8.dropLast(4), as: UTF8.self) + ".bai"]
      : [path + ".bai"]
    for name in names {
      guard let bytes = try content(name) else { continue }
      var reader = Reader(bytes: bytes)
      if let counts = reader.counts() {
        return (included.mapped ? counts.mapped : 0) + (included.unmapped ? counts.unmapped : 0)
      }
    }
    return nil
  }

  /// nil where there is no such file.
  private static func content(_ path: String) throws(WorkpoolError) -> [UInt8]? {
    var info = wpl_file_info()
    guard wpl_file_info_at(path, 1, &info) == 0, info.kind == Int32(WPL_KIND_REGULAR) else {
      return nil
    }
    let reader = try CompressedReader(path: path, options: CompressedReader.Options())
    var bytes: [UInt8] = []
    var buffer = GrowableMemory<UInt8>()
    try buffer.resize(256 << 10)
    while bytes.count < mostBytes {
      let count = try reader.read(
        into: UnsafeMutableRawBufferPointer(start: buffer.start, count: buffer.count))
      if count == 0 { break }
      bytes += UnsafeBufferPointer(start: buffer.start, count: count)
    }
    return bytes
  }

  private struct Reader {
    let bytes: [UInt8]
    var place = 0

    /// nil where the bytes end too early.
    mutating func number(_ size: Int) -> Int? {
      guard size <= bytes.count - place else { return nil }
      var number: UInt64 = 0
      for index in 0..<size { number |= UInt64(bytes[place + index]) << UInt64(8 * index) }
      place += size
      return Int(exactly: number)
    }

    mutating func skip(_ count: Int, of size: Int) -> Bool {
      guard count >= 0, count <= (bytes.count - place) / size else { return false }
      place += count * size
      return true
    }

    mutating func counts() -> (mapped: Int, unmapped: Int)? {
      guard bytes.starts(with: [0x42, 0x41, 0x49, 1]) else { return nil }
      place = 4
      guard let references = number(4) else { return nil }
      var (mapped, unmapped) = (0, 0)
      for _ in 0..<references {
        guard let bins = number(4) else { return nil }
        for _ in 0..<bins {
          guard let bin = number(4), let chunks = number(4) else { return nil }
          if bin == BAMIndex.counts && chunks == 2 {
            guard skip(2, of: 8), let with = number(8), let placed = number(8) else { return nil }
            mapped = mapped &+ with &+ placed
          } else if !skip(chunks, of: 16) {
            return nil
          }
        }
        guard let intervals = number(4), skip(intervals, of: 8) else { return nil }
      }
      unmapped = number(8) ?? 0
      return mapped < 0 ? nil : (mapped, unmapped)
    }
  }
}
