// SPDX-License-Identifier: MIT

/// Blocks of exactly n FASTQ records of four lines, fewer only at the end of the stream.
///
/// It counts line ends and judges nothing else: what is inside the lines is the parser's. Blank
/// lines at the end of the stream are dropped. A blank line where a record should begin starts a
/// block of its own, so that the parser, which refuses it, has all records before it in blocks
/// that are sound. What follows the last whole record belongs to the last block as one record.
public struct FASTQSplitter: Sendable {
  private let recordsPerBlock: Int
  private let maxRecord: Int

  // How far the current block is known: `records` records end before `start`, where one begins
  // of which `lines` lines end before `line`; from there to `seen` no line ends. While only blank
  // lines are known, they reach to `seen`.
  private var beganBlank = false
  private var records = 0
  private var start = 0
  private var lines = 0
  private var line = 0
  private var seen = 0

  public init(records: Int = 10_000, maxRecord: Int = Splitter.defaultMaxRecord) {
    recordsPerBlock = max(records, 1)
    self.maxRecord = maxRecord
  }

  public mutating func cut(_ buffer: UnsafeRawBufferPointer, isLast: Bool) -> Cut {
    if buffer.isEmpty { return isLast ? .end : .more }
    if seen == 0 { beganBlank = isLineEnd(buffer[0]) }
    if beganBlank {
      while seen < buffer.count && isLineEnd(buffer[seen]) { seen += 1 }
      if seen > maxRecord { return tooLong }
      if seen == buffer.count { return isLast ? .end : .more }
      (beganBlank, seen) = (false, 0)
    }
    while records < recordsPerBlock {
      guard let end = buffer.find(UInt8(ascii: "\n"), from: seen) else {
        seen = buffer.count
        if buffer.count - start > maxRecord { return tooLong }
        return isLast ? lastBlock(buffer) : .more
      }
      if lines == 0 && start > 0 && isBlank(buffer, start..<end) { break }
      lines += 1
      line = end + 1
      seen = line
      if lines == 4 {
        if line - start > maxRecord { return tooLong }
        records += 1
        start = line
        lines = 0
      }
    }
    return block(lines: records * 4)
  }

  private mutating func lastBlock(_ buffer: UnsafeRawBufferPointer) -> Cut {
    let whole = records * 4
    if start == buffer.count || (lines == 0 && start > 0 && isBlank(buffer, start..<buffer.count)) {
      return block(lines: whole)
    }
    let begun = lines + (line < buffer.count ? 1 : 0)
    records += 1
    start = buffer.count
    return block(lines: whole + begun)
  }

  private mutating func block(lines: Int) -> Cut {
    let cut = Cut.block(size: start, records: records, lines: lines)
    self = FASTQSplitter(records: recordsPerBlock, maxRecord: maxRecord)
    return cut
  }

  private var tooLong: Cut {
    .recordTooLong(records: records, lines: records * 4, start: start)
  }

  private func isLineEnd(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }

  /// Whether a line without its line feed holds nothing.
  private func isBlank(_ buffer: UnsafeRawBufferPointer, _ line: Range<Int>) -> Bool {
    line.isEmpty || (line.count == 1 && buffer[line.lowerBound] == UInt8(ascii: "\r"))
  }
}
