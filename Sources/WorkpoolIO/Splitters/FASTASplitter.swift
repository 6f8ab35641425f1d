// SPDX-License-Identifier: MIT

/// Blocks of exactly n FASTA records, fewer only at the end of the stream: a record begins with `>` at
/// the start of a line and goes on to the next one.
///
/// What stands before the first record belongs to it; the parser judges that.
public struct FASTASplitter: Sendable {
  private let recordsPerBlock: Int
  private let maxRecord: Int

  // How far the current block is known: `records` have begun, the last one at `start`, with `lines` line
  // ends before `seen`, which is the start of a line unless `isInLine`.
  private var records = 0
  private var start = 0
  private var lines = 0
  private var seen = 0
  private var isInLine = false

  public init(records: Int = 10_000, maxRecord: Int = Splitter.defaultMaxRecord) {
    recordsPerBlock = max(records, 1)
    self.maxRecord = maxRecord
  }

  public mutating func cut(_ buffer: UnsafeRawBufferPointer, isLast: Bool) -> Cut {
    if buffer.isEmpty { return isLast ? .end : .more }
    while seen < buffer.count {
      if !isInLine, buffer[seen] == UInt8(ascii: ">") {
        if records == recordsPerBlock { return block(seen) }
        records += 1
        start = seen
      }
      guard let end = buffer.find(UInt8(ascii: "\n"), from: seen) else {
        (seen, isInLine) = (buffer.count, true)
        break
      }
      (seen, isInLine) = (end + 1, false)
      lines += 1
    }
    if buffer.count - start > maxRecord {
      return .recordTooLong(records: max(records - 1, 0), lines: lines, start: start)
    }
    return isLast ? block(buffer.count) : .more
  }

  private mutating func block(_ size: Int) -> Cut {
    let cut = Cut.block(size: size, records: records, lines: lines + (isInLine ? 1 : 0))
    self = FASTASplitter(records: recordsPerBlock, maxRecord: maxRecord)
    return cut
  }
}
