// SPDX-License-Identifier: MIT
import CZlib
import WorkpoolCore

/// Gzip members back to back (RFC 1952), each a BGZF block (SAM specification §4.1) or not.
///
/// Headers and trailers are read here and the codec sees raw deflate data only, so that every
/// check is made for each member: header checksum, reserved flags, CRC-32, ISIZE, BSIZE.
final class GzipUnpacker: Unpacker {
  private enum State { case between, inMember, ended }

  private enum Flag {
    static let headerChecksum: UInt8 = 2
    static let extra: UInt8 = 4
    static let name: UInt8 = 8
    static let comment: UInt8 = 16
    static let reserved: UInt8 = 0xe0
  }

  private let inflater: Inflater
  private var state = State.between
  /// Whether no more decoded bytes are held back for want of room.
  private var isFlushed = true
  private var dataChecksum: uLong = 0
  private var dataSize: UInt64 = 0
  private var headerChecksum: uLong = 0
  /// BSIZE + 1 of a BGZF block; nil in any other member.
  private var blockSize: UInt64?
  private var beganBlocked = false

  override var compression: Compression { beganBlocked ? .bgzf : .gzip }
  override var partName: StaticString { blockSize == nil ? "member" : "block" }

  override init(_ input: PackedInput, trailing: TrailingBytes) throws(WorkpoolError) {
    inflater = try Inflater()
    try super.init(input, trailing: trailing)
  }

  override func unpack(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    while count < bytes.count {
      switch state {
      case .between: try beginMember()
      case .inMember: try inflate(into: bytes, count: &count)
      case .ended: return
      }
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
    dataChecksum = checksum(dataChecksum, UnsafeRawBufferPointer(room.part(0..<step.made)))
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
    let wantedChecksum = UInt32(littleEndian: trailer.loadUnaligned(as: UInt32.self))
    let wantedSize = UInt32(
      littleEndian: trailer.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard wantedChecksum == UInt32(dataChecksum) else {
      throw fault(.corruptInput, "the checksum of the data is wrong (CRC-32)")
    }
    guard wantedSize == UInt32(truncatingIfNeeded: dataSize) else {
      throw fault(.corruptInput, "the length of the data is wrong (ISIZE)")
    }
    input.skip(8)
    if let blockSize, blockSize != partSize {
      throw fault(
        .corruptInput, "the block has \(partSize) bytes, its header says \(blockSize) (BSIZE)")
    }
    state = .between
  }

  // MARK: Header

  private func beginMember() throws(WorkpoolError) {
    let start = try input.peek(2)
    // A lone first byte of the magic number is a member that stops there.
    guard start.first == 0x1f && (start.count == 1 || start[1] == 0x8b) else {
      state = .ended
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
    state = .inMember
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
      if zeros < bytes.count { return try endWithTrailingBytes() }
    }
  }
}
