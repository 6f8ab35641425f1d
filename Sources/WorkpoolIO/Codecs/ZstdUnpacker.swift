// SPDX-License-Identifier: MIT
import CZstd
import WorkpoolCore

/// Zstd frames and skippable frames back to back (RFC 8878).
///
/// Frame headers are judged here before libzstd sees them, so that a refusal says what to do;
/// libzstd checks the data and its checksum. Frames that are there as a whole, and are no larger than
/// `largestPart`, are handed out: what a frame unpacks to is limited by its blocks, also where its header
/// does not say it.
final class ZstdUnpacker: Unpacker {
  private let maxWindow: UInt64
  private let context: OpaquePointer
  private var isInFrame = false
  private var wantedSize: UInt64?
  private var frameSize: UInt64 = 0
  /// What is left of the current block or checksum, and where it began in the file.
  private var pieceLeft = 0
  private var pieceStart: UInt64 = 0
  private var isLastBlockSeen = false
  /// Whether libzstd holds no more decoded bytes back.
  private var isFlushed = true

  override var compression: Compression { .zstd }
  override var partName: StaticString { "frame" }

  /// - Parameter maxWindow: the largest window, in bytes, that a frame may ask for.
  init(
    _ input: PackedInput, trailing: TrailingBytes = .error, maxWindow: UInt64, parts: UInt64 = 0
  ) throws(WorkpoolError) {
    guard let context = ZSTD_createDCtx() else {
      throw WorkpoolError(.noMemory, "no memory for zstd")
    }
    // The exact limit is judged in beginFrame().
    let largest = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound
    _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, largest)
    self.context = context
    self.maxWindow = maxWindow
    try super.init(input, trailing: trailing, parts: parts)
  }

  deinit { ZSTD_freeDCtx(context) }

  override func unpack(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    while count < bytes.count && !isAtEnd {
      if isInFrame {
        try decode(into: bytes, count: &count)
      } else if try nextFrame(behind: 0) == nil {
        try begin()
      } else {
        return
      }
    }
  }

  /// Unpacks the frame that is all of the input, to find out what is wrong with it.
  func unpackFrame(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    try beginFrame()
    while isInFrame && count < bytes.count { try decode(into: bytes, count: &count) }
    let rest = try spill.reserve(1)
    while isInFrame {
      var more = 0
      try decode(into: rest, count: &more)
      if more > 0 { throw fault(.corruptInput, "the frame has more bytes than its header says") }
    }
  }

  // MARK: Whole frames

  override func makeDecoder() throws(WorkpoolError) -> PartDecoder {
    try FrameDecoder(framesOf: input.name, maxWindow: maxWindow)
  }

  override func takeRun(atMost limit: Int) throws(WorkpoolError) -> PackedRun? {
    if isInFrame { return nil }
    var (count, size, decodedSize) = (UInt64(0), 0, 0)
    while let frame = try nextFrame(behind: size) {
      if count > 0 && decodedSize + frame.decodedSize > limit { break }
      count += 1
      size += frame.size
      decodedSize += frame.decodedSize
      if size >= Self.runSize { break }
    }
    return count == 0 ? nil : handOut(count, .zstd, size: size, decodedSize: decodedSize)
  }

  /// The whole frame that begins `start` bytes behind the place of the input, if there is one.
  private func nextFrame(
    behind start: Int
  ) throws(WorkpoolError) -> (size: Int, decodedSize: Int)? {
    do throws(WorkpoolError) {
      var bytes = try input.peek(start + ZstdFrameHeader.largest)
      guard case .frame = ZstdMagic(bytes.part(start..<bytes.count)),
        let header = ZstdFrameHeader(bytes.part(start..<bytes.count)), header.isPlain,
        header.window <= maxWindow, header.contentSize ?? 0 <= UInt64(Self.largestPart)
      else { return nil }
      var end = start + header.size
      var decodedSize = 0
      while true {
        bytes = try input.peek(end + 3)
        guard bytes.count >= end + 3, let block = ZstdBlockHeader(bytes, at: end) else {
          return nil
        }
        end += 3 + block.size
        decodedSize += block.decodedSize(header.window)
        guard end - start <= Self.largestPart,
          decodedSize <= Self.largestPart || header.contentSize != nil
        else { return nil }
        if block.isLast { break }
      }
      if header.hasChecksum { end += 4 }
      guard try input.peek(end).count >= end else { return nil }
      return (end - start, header.contentSize.map { Int($0) } ?? decodedSize)
    } catch {
      // What is whole goes first; the error comes again.
      if start > 0 && error.status == .ioFailed { return nil }
      throw error
    }
  }

  /// Gives libzstd one block at a time: after an error it does not say how many bytes it wrote
  /// before, and what a reader sees must not depend on how the frame arrives.
  private func decode(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    var packed = UnsafeRawBufferPointer(start: nil, count: 0)
    if isFlushed {
      if pieceLeft == 0 { try beginPiece() }
      packed = try input.more()
      if packed.isEmpty { throw truncated(in: "a zstd frame") }
      packed = packed.part(0..<min(pieceLeft, packed.count))
    }
    let room = bytes.part(count..<bytes.count)
    let (taken, made, isEnded) = try feed(packed, into: room)
    input.skip(taken)
    pieceLeft -= taken
    count += made
    frameSize &+= UInt64(made)
    isFlushed = made < room.count
    guard isEnded else { return }
    if let wantedSize, wantedSize != frameSize {
      throw fault(.corruptInput, "the frame has \(frameSize) bytes, its header says \(wantedSize)")
    }
    isInFrame = false
  }

  /// Finds the end of the next block (RFC 8878 §3.1.1.2), or of the checksum behind the last one.
  private func beginPiece() throws(WorkpoolError) {
    pieceStart = input.offset
    if isLastBlockSeen {
      pieceLeft = 4
      return
    }
    let bytes = try input.peek(3)
    guard bytes.count >= 3 else {
      input.skip(bytes.count)
      throw truncated(in: "a zstd frame")
    }
    let bits = bytes.integer(at: 0, size: 3)
    let isRunLength = bits >> 1 & 3 == 1
    isLastBlockSeen = bits & 1 != 0
    pieceLeft = 3 + (isRunLength ? 1 : Int(bits >> 3))
  }

  private func feed(
    _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> (taken: Int, made: Int, isEnded: Bool) {
    var from = ZSTD_inBuffer(src: packed.baseAddress, size: packed.count, pos: 0)
    var to = ZSTD_outBuffer(dst: bytes.baseAddress, size: bytes.count, pos: 0)
    let code = ZSTD_decompressStream(context, &to, &from)
    if ZSTD_isError(code) != 0 {
      if ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation {
        throw fault(.noMemory, "no memory to unpack")
      }
      throw fault(
        .corruptInput, "damaged zstd data (\(String(cString: ZSTD_getErrorName(code))))",
        at: pieceStart)
    }
    return (from.pos, to.pos, code == 0)
  }

  // MARK: Headers

  private func begin() throws(WorkpoolError) {
    let magic = try input.peek(4)
    if magic.isEmpty {
      isAtEnd = true
      return
    }
    switch ZstdMagic(magic) {
    case .frame: try beginFrame()
    case .skippable: try skipFrame()
    case .cut:
      beginPart()
      throw truncated(in: "a zstd frame")
    case .legacy(let version):
      beginPart()
      throw fault(.unsupported, "zstd format 0.\(version) is not supported")
    case .none:
      try endWithTrailingBytes()
      isAtEnd = true
    }
  }

  private func skipFrame() throws(WorkpoolError) {
    let header = try input.peek(8)
    guard header.count >= 8 else {
      beginPart()
      throw truncated(in: "a skippable frame")
    }
    var left = Int(header.integer(at: 4, as: UInt32.self))
    input.skip(8)
    while left > 0 {
      let count = min(left, try input.more().count)
      if count == 0 {
        beginPart()
        throw truncated(in: "a skippable frame")
      }
      input.skip(count)
      left -= count
    }
  }

  private func beginFrame() throws(WorkpoolError) {
    beginPart()
    guard let header = ZstdFrameHeader(try input.peek(ZstdFrameHeader.largest)) else {
      throw truncated(in: "a zstd header")
    }
    guard !header.hasReservedBit else {
      throw fault(.corruptInput, "a reserved bit is set in the header")
    }
    guard header.dictionary == 0 else {
      throw fault(.unsupported, "packed with dictionary \(header.dictionary): not supported")
    }
    guard header.window <= maxWindow else {
      throw fault(
        .limitExceeded,
        "needs a window of \(header.window) bytes, more than the limit of \(maxWindow): "
          + "--zstd-window allows up to 2G")
    }
    wantedSize = header.contentSize
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
    // The header alone and no room, or libzstd would look for a whole frame to unpack at once.
    pieceStart = input.offset
    let (taken, _, _) = try feed(
      input.unread.part(0..<header.size), into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    input.skip(taken)
    pieceLeft = 0
    isFlushed = true
    isLastBlockSeen = false
    frameSize = 0
    isInFrame = true
  }
}
