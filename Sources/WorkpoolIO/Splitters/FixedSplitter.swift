// SPDX-License-Identifier: MIT

/// Blocks of records that all have the same size; with a size of 1, blocks of so many bytes.
public struct FixedSplitter: Sendable {
  let recordSize: Int
  private let blockSize: Int
  /// Whether any bytes are whole records.
  var takesAnyBytes: Bool { recordSize == 1 }
  private let allowsPartial: Bool

  /// - Parameters:
  ///   - count: records per block, as many as `Int` bytes can hold.
  ///   - allowsPartial: whether less than a record at the end is the last record.
  public init(recordSize: Int, count: Int, allowsPartial: Bool = false) {
    self.recordSize = max(recordSize, 1)
    blockSize = self.recordSize * min(max(count, 1), Int.max / self.recordSize)
    self.allowsPartial = allowsPartial
  }

  public func cut(_ buffer: UnsafeRawBufferPointer, isLast: Bool) -> Cut {
    if buffer.count >= blockSize {
      return .block(size: blockSize, records: blockSize / recordSize, lines: 0)
    }
    if !isLast { return .more }
    if buffer.isEmpty { return .end }
    let (records, rest) = buffer.count.quotientAndRemainder(dividingBy: recordSize)
    if rest > 0 && !allowsPartial {
      return .remainder(records: records, start: buffer.count - rest)
    }
    return .block(size: buffer.count, records: records + (rest > 0 ? 1 : 0), lines: 0)
  }
}
