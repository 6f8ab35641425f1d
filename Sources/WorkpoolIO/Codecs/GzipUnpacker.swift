// SPDX-License-Identifier: MIT
import CZlib
import WorkpoolCore

/// Gzip members back to back (RFC 1952), each a BGZF block (SAM specification §4.1) or not.
///
/// Headers and trailers are read here and the codec sees raw deflate data only, so that every
/// check is made for each member: header checksum, reserved flags, CRC-32, ISIZE, BSIZE. Blocks that are
/// there as a whole are handed out; a block that is odd in any way is unpacked here like any member.
final class GzipUnpacker: Unpacker {

  private enum Flag {
    static let headerChecksum: UInt8 = 2
    static let extra: UInt8 = 4
    static let name: UInt8 = 8
    static let comment: UInt8 = 16
    static let reserved: UInt8 = 0xe0
  }

  private let inflater: Inflater
  private var isInMember = false
  /// Whether no more decoded bytes are held back for want of room.
  private var isFlushed = true
  /// nil: another thread knows it.
  private var dataChecksum: uLong? = 0
  private var dataSize: UInt64 = 0
  private var headerChecksum: uLong = 0
  /// BSIZE + 1 of a BGZF block; nil in any other member.
  private var blockSize: UInt64?
  private var beganBlocked = false

  override var compression: Compression { beganBlocked ? .bgzf : .gzip }
  override var partName: StaticString { blockSize == nil ? "member" : "block" }

  override init(
    _ input: PackedInput, trailing: TrailingBytes = .error, parts: UInt64 = 0
  ) throws(WorkpoolError) {
    inflater = try Inflater()
    try super.init(input, trailing: trailing, parts: parts)
  }

  override func unpack(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    if leavesChecks && isInMember && blockSize == nil && count == 0 {
      unchecked = Unchecked(before: dataChecksum.map { UInt32($0) })
      dataChecksum = nil
    }
    while count < bytes.count && !isAtEnd && unchecked?.wanted == nil {
      if isInMember {
        try inflate(into: bytes, count: &count)
      } else if try nextBlock(behind: 0) == nil {
        try beginMember()
      } else {
        return
      }
    }
  }

  /// Unpacks the block that is all of the input, to find out what is wrong with it.
  func unpackBlock(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    do throws(WorkpoolError) {
      try beginMember()
      while isInMember && count < bytes.count { try inflate(into: bytes, count: &count) }
      // To the end of it, for what is wrong may be its own length.
      let rest = try spill.reserve(BGZFBlock.largestDecoded)
      while isInMember {
        var more = 0
        try inflate(into: rest, count: &more)
      }
    } catch {
      guard error.status == .truncatedInput else { throw error }
      throw fault(.corruptInput, "the block is longer than its header says (BSIZE)")
    }
  }

  // MARK: Whole blocks

  override func makeDecoder() throws(WorkpoolError) -> PartDecoder {
    try BlockDecoder(blocksOf: input.name)
  }

  override func takeRun(atMost limit: Int) throws(WorkpoolError) -> PackedRun? {
    if isInMember { return nil }
    var (count, size, decodedSize) = (UInt64(0), 0, 0)
    while let block = try nextBlock(behind: size) {
      if count > 0 && decodedSize + block.decodedSize > limit { break }
      count += 1
      size += block.size
      decodedSize += block.decodedSize
      blockSize = UInt64(block.size)
      dataSize = UInt64(block.decodedSize)
      if size >= Self.runSize { break }
    }
    if count == 0 { return nil }
    if parts == 0 { beganBlocked = true }
    return handOut(count, .bgzf, size: size, decodedSize: decodedSize)
  }

  /// The whole block that begins `start` bytes behind the place of the input, if there is one.
  private func nextBlock(
    behind start: Int
  ) throws(WorkpoolError) -> (size: Int, decodedSize: Int)? {
    do throws(WorkpoolError) {
      var bytes = try input.peek(start + 12)
      guard let headerSize = BGZFBlock.headerSize(bytes.part(start..<bytes.count)) else {
        return nil
      }
      bytes = try input.peek(start + headerSize)
      guard let block = BGZFBlock(header: bytes.part(start..<bytes.count)) else { return nil }
      bytes = try input.peek(start + block.size)
      guard bytes.count >= start + block.size else { return nil }
      let size = block.decodedSize(bytes.part(start..<start + block.size))
      return size <= BGZFBlock.largestDecoded ? (block.size, size) : nil
    } catch {
      // What is whole goes first; the error comes again.
      if start > 0 && error.status == .ioFailed { return nil }
      throw error
    }
  }

  private func inflate(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    let room = bytes.part(count..<bytes.count)
    let packed = isFlushed ? try input.more() : input.unread
    let step = inflater.inflate(packed, into: room)
    let isCut = isFlushed && packed.isEmpty && step.made == 0
    isFlushed = step.made < room.count
    if let known = dataChecksum {
      dataChecksum = checksum(known, UnsafeRawBufferPointer(room.part(0..<step.made)))
    }
    dataSize &+= UInt64(step.made)
    count += step.made
    input.skip(step.taken)
    switch step.outcome {
    case .ended: try endMember()
    case .goesOn where isCut: throw truncated(in: "deflate data")
    case .goesOn: break
    case .damaged: throw fault(.corruptInput, "damaged deflate data")
    case .noMemory: throw fault(.noMemory, "no memory to unpack")
    }
  }

  // MARK: Trailer

  private func endMember() throws(WorkpoolError) {
    let trailer = try input.peek(8)
    guard trailer.count >= 8 else {
      input.skip(trailer.count)
      throw truncated(in: "a gzip trailer")
    }
    let wantedChecksum = trailer.integer(at: 0, as: UInt32.self)
    let wantedSize = trailer.integer(at: 4, as: UInt32.self)
    if let dataChecksum {
      guard wantedChecksum == UInt32(dataChecksum) else {
        throw fault(.corruptInput, Self.wrongChecksum)
      }
    } else {
      unchecked?.wanted = (wantedChecksum, input.offset)
    }
    guard wantedSize == UInt32(truncatingIfNeeded: dataSize) else {
      throw wrongSize
    }
    input.skip(8)
    if let blockSize, blockSize != partSize {
      throw fault(
        .corruptInput, "the block has \(partSize) bytes, its header says \(blockSize) (BSIZE)")
    }
    isInMember = false
  }

  static let wrongChecksum = "the checksum of the data is wrong (CRC-32)"

  private var wrongSize: WorkpoolError {
    fault(.corruptInput, "the length of the data is wrong (ISIZE)")
  }

  // MARK: Header

  private func beginMember() throws(WorkpoolError) {
    let start = try input.peek(2)
    // A lone first byte of the magic number is a member that stops there.
    guard start.first == 0x1f && (start.count == 1 || start[1] == 0x8b) else {
      return try endStream()
    }
    beginPart()
    dataChecksum = 0
    dataSize = 0
    headerChecksum = 0
    blockSize = nil

    try skipHeader(2)
    guard try headerByte() == 8 else {
      throw fault(.corruptInput, "not packed with deflate (CM is not 8)")
    }
    let flags = try headerByte()
    guard flags & Flag.reserved == 0 else {
      throw fault(.corruptInput, "reserved flags are set in the header")
    }
    try skipHeader(6)  // MTIME, XFL, OS
    if flags & Flag.extra != 0 { try readExtraField() }
    if flags & Flag.name != 0 { while try headerByte() != 0 {} }
    if flags & Flag.comment != 0 { while try headerByte() != 0 {} }
    if flags & Flag.headerChecksum != 0 {
      let found = UInt16(truncatingIfNeeded: headerChecksum)
      guard try headerInteger() == found else {
        throw fault(.corruptInput, "the checksum of the header is wrong")
      }
    }
    if parts == 1 { beganBlocked = blockSize != nil }
    inflater.reset()
    isFlushed = true
    isInMember = true
  }

  /// Looks for the subfield `BC` of BGZF among all subfields (RFC 1952 §2.3.1.1).
  private func readExtraField() throws(WorkpoolError) {
    var left = Int(try headerInteger())
    while left >= 4 {
      let isBlock = try headerByte() == UInt8(ascii: "B")
      let isBlockToo = try headerByte() == UInt8(ascii: "C")
      let size = Int(try headerInteger())
      left -= 4
      guard size <= left else {
        throw fault(.corruptInput, "a field in the header is longer than the header")
      }
      left -= size
      if isBlock && isBlockToo && size == 2 && blockSize == nil {
        blockSize = UInt64(try headerInteger()) + 1
      } else {
        try skipHeader(size)
      }
    }
    try skipHeader(left)
  }

  private func headerByte() throws(WorkpoolError) -> UInt8 {
    guard var byte = try input.byte() else { throw truncated(in: "a gzip header") }
    headerChecksum = withUnsafeBytes(of: &byte) { checksum(headerChecksum, $0) }
    return byte
  }

  private func headerInteger() throws(WorkpoolError) -> UInt16 {
    let low = UInt16(try headerByte())
    return UInt16(try headerByte()) << 8 | low
  }

  private func skipHeader(_ count: Int) throws(WorkpoolError) {
    for _ in 0..<count { _ = try headerByte() }
  }

  // MARK: End

  private func endStream() throws(WorkpoolError) {
    // An empty block is 28 bytes, and its place at the end says that nothing was cut off.
    if blockSize != nil && dataSize > 0 {
      note("no BGZF end marker: the file may have been cut between two blocks")
    }
    while case let bytes = try input.more(), !bytes.isEmpty {
      let zeros = bytes.firstIndex { $0 != 0 } ?? bytes.count
      input.skip(zeros)
      if zeros < bytes.count {
        try endWithTrailingBytes()
        break
      }
    }
    isAtEnd = true
  }
}
