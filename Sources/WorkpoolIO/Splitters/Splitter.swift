// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Where the next block ends.
public enum Cut: Equatable, Sendable {
  /// The first `size` bytes are a block of `records` whole records in `lines` lines (a line
  /// without its end counts; 0 where the splitter knows no lines).
  case block(size: Int, records: Int, lines: Int)
  /// No whole block is here: ask again with more bytes behind these.
  case more
  /// Nothing is left that would make a record.
  case end
  /// The record `records` behind the first one, at byte `start` and in line `lines` behind the
  /// first, is longer than the limit.
  case recordTooLong(records: Int, lines: Int, start: Int)
  /// What is left at byte `start`, behind `records` whole records, is less than a record.
  case remainder(records: Int, start: Int)
}

/// Cuts a stream into blocks of whole records.
///
/// A splitter is a value and copies nothing. It sees the stream through a window that begins at
/// the next block: after `.more` the caller gives the same bytes and more behind them, after
/// `.block` those behind the block. The cuts depend on the stream alone, never on how it
/// arrives; what was looked at once is not looked at again.
public enum Splitter: Sendable {
  case lines(LineSplitter)
  case fixed(FixedSplitter)
  case fastq(FASTQSplitter)
  case fasta(FASTASplitter)

  /// The longest record by default.
  public static let defaultMaxRecord = 256 << 20

  /// - Parameters:
  ///   - buffer: the stream from the next block on, as far as it is known.
  ///   - isLast: whether the stream ends with `buffer`; never answered with `.more`.
  /// - Complexity: O(bytes that were not seen before).
  public mutating func cut(_ buffer: UnsafeRawBufferPointer, isLast: Bool) -> Cut {
    switch self {
    case .lines(var splitter):
      defer { self = .lines(splitter) }
      return splitter.cut(buffer, isLast: isLast)
    case .fixed(let splitter):
      return splitter.cut(buffer, isLast: isLast)
    case .fastq(var splitter):
      defer { self = .fastq(splitter) }
      return splitter.cut(buffer, isLast: isLast)
    case .fasta(var splitter):
      defer { self = .fasta(splitter) }
      return splitter.cut(buffer, isLast: isLast)
    }
  }

  var takesAnyBytes: Bool {
    if case .fixed(let splitter) = self { splitter.takesAnyBytes } else { false }
  }

  /// The byte that ends each record, of a splitter of lines.
  public var delimiter: UInt8? {
    if case .lines(let splitter) = self { splitter.delimiter } else { nil }
  }

  /// Where the record at `start` of a block ends. For splitters of lines and of fixed sizes.
  public func endOfRecord(_ block: UnsafeRawBufferPointer, _ start: Int) -> Int {
    switch self {
    case .lines(let splitter): splitter.endOfRecord(block, start)
    case .fixed(let splitter): min(start + splitter.recordSize, block.count)
    case .fastq, .fasta: block.count
    }
  }
}

extension UnsafeRawBufferPointer {
  /// The first place of `byte` at or behind `start`.
  @inline(__always)
  func find(_ byte: UInt8, from start: Int) -> Int? {
    guard start < count, let base = baseAddress,
      let found = memchr(base + start, Int32(byte), count - start)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }
}
