// SPDX-License-Identifier: MIT

/// Blocks of whole lines, or of records that end with another byte. Only the last record of a
/// stream may lack its end.
public struct LineSplitter: Sendable {
  public enum BlockSize: Sendable {
    /// So many records.
    case records(Int)
    /// So many bytes, and on to the next end of a record.
    case bytes(Int)
  }

  private let size: BlockSize
  let delimiter: UInt8
  private let maxRecord: Int

  // How far the current block is known: `records` records end before `start`, and up to `seen`
  // there is no further end.
  private var records = 0
  private var start = 0
  private var seen = 0

  public init(
    _ size: BlockSize = .bytes(1 << 20), delimiter: UInt8 = UInt8(ascii: "\n"),
    maxRecord: Int = Splitter.defaultMaxRecord
  ) {
    self.size = size
    self.delimiter = delimiter
    self.maxRecord = maxRecord
  }

  /// Where the record at `start` of a block ends, its delimiter included.
  func endOfRecord(_ block: UnsafeRawBufferPointer, _ start: Int) -> Int {
    block.find(delimiter, from: start).map { $0 + 1 } ?? block.count
  }

  public mutating func cut(_ buffer: UnsafeRawBufferPointer, isLast: Bool) -> Cut {
    while !isWhole {
      guard let end = buffer.find(delimiter, from: seen) else {
        seen = buffer.count
        if buffer.count - start > maxRecord { return tooLong }
        if !isLast { return .more }
        if start < buffer.count { records += 1 }
        start = buffer.count
        break
      }
      if end + 1 - start > maxRecord { return tooLong }
      records += 1
      start = end + 1
      seen = start
    }
    if start == 0 { return .end }
    defer { (records, start, seen) = (0, 0, 0) }
    return .block(size: start, records: records, lines: records)
  }

  private var isWhole: Bool {
    switch size {
    case .records(let count): records >= max(count, 1)
    case .bytes(let count): start >= max(count, 1)
    }
  }

  private var tooLong: Cut { .recordTooLong(records: records, lines: records, start: start) }
}
