// SPDX-License-Identifier: MIT
import CZstd
import WorkpoolCore

/// Zstd frames and skippable frames back to back (RFC 8878).
///
/// Frame headers are judged here before libzstd sees them, so that a refusal says what to do;
/// libzstd checks the data and its checksum.
final class ZstdUnpacker: Unpacker {
  private enum State { case between, inFrame, ended }

  private let maxWindow: UInt64
  private let context: OpaquePointer
  private var state = State.between
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
    _ input: PackedInput, trailing: TrailingBytes, maxWindow: UInt64
  ) throws(WorkpoolError) {
    guard let context = ZSTD_createDCtx() else {
      throw WorkpoolError(.noMemory, "no memory for zstd")
    }
    // The exact limit is judged in beginFrame().
    let largest = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound
    _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, largest)
    self.context = context
    self.maxWindow = maxWindow
    try super.init(input, trailing: trailing)
  }

  deinit { ZSTD_freeDCtx(context) }

  override func unpack(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    while count < bytes.count {
      switch state {
      case .between: try begin()
      case .inFrame: try decode(into: bytes, count: &count)
      case .ended: return
      }
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
    state = .between
  }

  /// Finds the end of the next block (RFC 8878 §3.1.1.2), or of the checksum behind the last one.
  private func beginPiece() throws(WorkpoolError) {
    pieceStart = input.offset
    if isLastBlockSeen {
      pieceLeft = 4
      return
    }
    let header = try input.peek(3)
    guard header.count >= 3 else {
      input.skip(header.count)
      throw truncated(in: "a zstd frame")
    }
    let bits = integer(header, at: 0, size: 3)
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
      state = .ended
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
      state = .ended
      try endWithTrailingBytes()
    }
  }

  private func skipFrame() throws(WorkpoolError) {
    let header = try input.peek(8)
    guard header.count >= 8 else {
      beginPart()
      throw truncated(in: "a skippable frame")
    }
    var left = Int(
      UInt32(littleEndian: header.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
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

  /// RFC 8878 §3.1.1.1.
  private func beginFrame() throws(WorkpoolError) {
    beginPart()
    let header = try input.peek(PackedInput.maxPeek)
    guard header.count > 4 else { throw truncated(in: "a zstd header") }
    let descriptor = header[4]
    let isSingleSegment = descriptor & 0x20 != 0
    let dictionarySize = [0, 1, 2, 4][Int(descriptor & 3)]
    let contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][Int(descriptor >> 6)]
    let dictionaryAt = isSingleSegment ? 5 : 6
    let contentAt = dictionaryAt + dictionarySize
    guard header.count >= contentAt + contentSize else { throw truncated(in: "a zstd header") }
    guard descriptor & 0x08 == 0 else {
      throw fault(.corruptInput, "a reserved bit is set in the header")
    }

    let dictionary = integer(header, at: dictionaryAt, size: dictionarySize)
    guard dictionary == 0 else {
      throw fault(.unsupported, "packed with dictionary \(dictionary): not supported")
    }
    wantedSize =
      contentSize == 0
      ? nil : integer(header, at: contentAt, size: contentSize) + (contentSize == 2 ? 256 : 0)
    var window = wantedSize ?? 0
    if !isSingleSegment {
      let base = UInt64(1) << (10 + UInt64(header[5] >> 3))
      window = base + base / 8 * UInt64(header[5] & 7)
    }
    guard window <= maxWindow else {
      throw fault(
        .limitExceeded,
        "needs a window of \(window) bytes, more than the limit of \(maxWindow): "
          + "--zstd-window allows up to 2G")
    }
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
    // The header alone and no room, or libzstd would look for a whole frame to unpack at once.
    pieceStart = input.offset
    let (taken, _, _) = try feed(
      header.part(0..<contentAt + contentSize),
      into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    input.skip(taken)
    pieceLeft = 0
    isFlushed = true
    isLastBlockSeen = false
    frameSize = 0
    state = .inFrame
  }

  private func integer(_ bytes: UnsafeRawBufferPointer, at offset: Int, size: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in (0..<size).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
    return value
  }
}
