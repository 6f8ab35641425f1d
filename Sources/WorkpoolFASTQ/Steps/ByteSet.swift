// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Which of the 256 byte values are in a set, as a table.
struct ByteSet: ~Copyable {
  enum Part { case sequence, quality }

  private var table = GrowableMemory<UInt8>()

  init(_ members: some Sequence<UInt8>) throws(WorkpoolError) {
    try table.resize(256)
    for byte in 0..<256 { table.start[byte] = 0 }
    for member in members { table.start[Int(member)] = 1 }
  }

  /// The first byte, by read, then by segment, that is not in the set.
  func firstOther(
    in batch: FASTQBatch, _ segments: Range<Int>, _ part: Part
  ) -> (byte: UInt8, read: Int, segment: Int)? {
    let keep = batch.keep.start
    var found: (byte: UInt8, read: Int, segment: Int)?
    for segment in segments {
      let records = batch.segments[segment].records.start
      let text = UnsafePointer(batch.segments[segment].text.bytes.start)
      for read in 0..<(found?.read ?? batch.count) where keep[read] != 0 {
        let record = records[read]
        let start = text + (part == .sequence ? record.sequence : record.quality)
        if let byte = firstOther(start, record.length) {
          found = (byte, read, segment)
          break
        }
      }
    }
    return found
  }

  @inline(__always)
  private func firstOther(_ bytes: UnsafePointer<UInt8>, _ size: Int) -> UInt8? {
    let table = UnsafePointer(table.start)
    for index in 0..<size where table[Int(bytes[index])] == 0 { return bytes[index] }
    return nil
  }
}
