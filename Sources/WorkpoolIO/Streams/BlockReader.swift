// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// How large a block is and where it lies in its input.
public struct BlockExtent: Equatable, Sendable {
  /// Bytes of the block, from the start of its memory.
  public var size: Int
  public var records: Int
  /// Which of several inputs it came from, from 0.
  public var input = 0
  /// What lies before the block in its input; records, lines and decoded bytes.
  public var recordsBefore: UInt64
  public var linesBefore: UInt64
  public var offset: UInt64
  /// Bytes of the input file that were taken when the block was complete; for progress.
  public var packedBytes: UInt64
}

/// Blocks of whole records of one stream.
///
/// Threads: one at a time.
public final class BlockReader {
  public let reader: CompressedReader
  private var splitter: Splitter
  /// Bytes of the stream behind the last block that are here already, from `aheadTaken` on.
  private let ahead = ByteBuffer()
  private var aheadTaken = 0
  private var isStreamAtEnd = false
  private var failure: WorkpoolError?
  private var lastSize = 0
  private var records: UInt64 = 0
  private var lines: UInt64 = 0
  /// Decoded bytes before the next block.
  private(set) var offset: UInt64
  /// Whether anybody asked for a block.
  private(set) var hasBegun = false

  private static let largestRead = 256 << 10
  private static let smallestRead = 16 << 10

  public convenience init(_ reader: CompressedReader, splitter: Splitter) {
    self.init(reader, splitter: splitter, offset: 0)
  }

  /// - Parameter offset: decoded bytes before the first block.
  init(_ reader: CompressedReader, splitter: Splitter, offset: UInt64) {
    self.reader = reader
    self.splitter = splitter
    self.offset = offset
  }

  /// Puts the next block at the start of the caller's memory.
  ///
  /// Bytes are decoded straight into that memory; only what was decoded behind the end of a
  /// block, 16 KiB as a rule, is kept and copied into the next one.
  ///
  /// Errors: as `CompressedReader.read(into:)`, what `reserve` throws, `limitExceeded` for a
  /// record longer than the splitter allows, `malformedRecord` for a remainder. All blocks in
  /// front of the error have been returned before, of records of one byte all of them; every later call
  /// throws it again.
  /// - Parameter reserve: called with growing sizes, at least once if there is a block.
  /// - Returns: nil at the end, when all of the stream was sound.
  public func next(reserve: Reserve) throws(WorkpoolError) -> BlockExtent? {
    if let failure { throw failure }
    hasBegun = true
    do {
      return try takeBlock(reserve)
    } catch {
      failure = error
      throw error
    }
  }

  /// Makes `buffer` hold the next block and nothing else; false at the end. Otherwise as above.
  public func next(into buffer: ByteBuffer) throws(WorkpoolError) -> BlockExtent? {
    buffer.removeAll()
    let extent = try next { (size) throws(WorkpoolError) in try buffer.reserve(size) }
    buffer.count = extent?.size ?? 0
    return extent
  }

  private func takeBlock(_ reserve: Reserve) throws(WorkpoolError) -> BlockExtent? {
    let held = ahead.bytes.part(aheadTaken..<ahead.count)
    switch splitter.cut(held, isLast: isStreamAtEnd) {
    case .more: break
    case .block(let size, let records, let lines):
      try reserve(size).copyMemory(from: held.part(0..<size))
      aheadTaken += size
      return extent(size, records, lines)
    case let other: return try endOrThrow(other)
    }

    var count = held.count
    var memory = try reserve(max(lastSize + lastSize / 16, count + Self.smallestRead))
    memory.copyMemory(from: held)
    ahead.removeAll()
    aheadTaken = 0
    while true {
      let wanted = min(max(lastSize - count, Self.smallestRead), Self.largestRead)
      if memory.count < count + wanted {
        memory = try reserve(max(count + Self.largestRead, count + count / 2))
      }
      let got: Int
      do throws(WorkpoolError) {
        got = try reader.read(into: memory.part(count..<count + wanted))
      } catch {
        guard count > 0 && splitter.takesAnyBytes else { throw error }
        failure = error
        return extent(count, count, 0)
      }
      count += got
      isStreamAtEnd = got == 0
      let bytes = UnsafeRawBufferPointer(memory.part(0..<count))
      switch splitter.cut(bytes, isLast: isStreamAtEnd) {
      case .more: precondition(!isStreamAtEnd, "a splitter asks for bytes behind the end")
      case .block(let size, let records, let lines):
        try ahead.append(bytes.part(size..<count))
        return extent(size, records, lines)
      case let other: return try endOrThrow(other)
      }
    }
  }

  private func extent(_ size: Int, _ records: Int, _ lines: Int) -> BlockExtent {
    defer {
      lastSize = size
      self.records += UInt64(records)
      self.lines += UInt64(lines)
      offset += UInt64(size)
    }
    return BlockExtent(
      size: size, records: records, recordsBefore: self.records, linesBefore: self.lines,
      offset: offset, packedBytes: reader.info.packedBytes)
  }

  private func endOrThrow(_ cut: Cut) throws(WorkpoolError) -> BlockExtent? {
    switch cut {
    case .recordTooLong(let records, let lines, let start):
      throw fault(
        .limitExceeded, "is longer than the limit that --max-record sets", records, lines, start)
    case .remainder(let records, let start):
      throw fault(.malformedRecord, "is shorter than the record size", records, 0, start)
    case .end, .more, .block: return nil
    }
  }

  private func fault(
    _ status: Status, _ message: String, _ records: Int, _ lines: Int, _ start: Int
  ) -> WorkpoolError {
    var place = "record \(self.records + UInt64(records) + 1) (byte \(offset + UInt64(start))"
    if self.lines + UInt64(lines) > 0 { place += ", line \(self.lines + UInt64(lines) + 1)" }
    return WorkpoolError(status, message, path: reader.name, place: place + ")")
  }
}
