// SPDX-License-Identifier: MIT
import CZlib
import CZstd
import WorkpoolCore

/// Unpacks runs of whole parts, in any order, with contexts that are used again.
///
/// A part in which something is wrong is unpacked once more by the `Unpacker` of its format, which says
/// what, and how many bytes come before it.
///
/// Threads: one at a time.
class PartDecoder {
  /// What the file is called in messages.
  fileprivate let name: String

  fileprivate init(of name: String) { self.name = name }

  /// Writes what the parts of `run` unpack to behind the first `count` of `bytes`, which have room for it,
  /// and raises `count`; after an error `count` and `place` say what came before it.
  final func decode(
    _ run: PackedRun, into bytes: UnsafeMutableRawBufferPointer, count: inout Int,
    place: inout StreamPlace
  ) throws(WorkpoolError) {
    place.parts = run.firstPart - 1
    place.packedBytes = run.offset
    var rest = run.bytes
    while !rest.isEmpty {
      let room = bytes.part(count..<bytes.count)
      let part = rest.part(0..<size(of: rest))
      place.parts += 1
      if let made = decode(part, into: room) {
        count += made
      } else {
        var made = 0
        defer { count += made }
        try judge(
          PackedInput(copying: part, at: place.packedBytes, of: name), parts: place.parts - 1,
          into: room, count: &made)
      }
      place.packedBytes += UInt64(part.count)
      rest = rest.part(part.count..<rest.count)
    }
  }

  // MARK: Of each format

  /// Packed size of the first part.
  fileprivate func size(of parts: UnsafeRawBufferPointer) -> Int { parts.count }

  /// - Returns: nil if anything is wrong.
  fileprivate func decode(
    _ part: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> Int? { nil }

  /// Unpacks the one part of the input, behind so many others of the file.
  fileprivate func judge(
    _ input: PackedInput, parts: UInt64, into room: UnsafeMutableRawBufferPointer,
    count: inout Int
  ) throws(WorkpoolError) {}
}

final class BlockDecoder: PartDecoder {
  private let inflater: BlockInflater

  init(blocksOf name: String) throws(WorkpoolError) {
    inflater = try BlockInflater()
    super.init(of: name)
  }

  private func header(_ bytes: UnsafeRawBufferPointer) -> BGZFBlock {
    guard let block = BGZFBlock(header: bytes) else {
      preconditionFailure("a run holds nothing but blocks")
    }
    return block
  }

  override fileprivate func size(of parts: UnsafeRawBufferPointer) -> Int { header(parts).size }

  override fileprivate func decode(
    _ part: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let block = header(part)
    let decoded = room.part(0..<block.decodedSize(part))
    guard inflater.inflate(block.data(part), into: decoded) == .ended,
      UInt32(checksum(0, UnsafeRawBufferPointer(decoded))) == block.checksum(part)
    else { return nil }
    return decoded.count
  }

  override fileprivate func judge(
    _ input: PackedInput, parts: UInt64, into room: UnsafeMutableRawBufferPointer,
    count: inout Int
  ) throws(WorkpoolError) {
    let size = header(input.unread).decodedSize(input.unread)
    try GzipUnpacker(input, parts: parts).unpackBlock(into: room.part(0..<size), count: &count)
  }
}

final class FrameDecoder: PartDecoder {
  private let maxWindow: UInt64
  private let context: OpaquePointer

  init(framesOf name: String, maxWindow: UInt64) throws(WorkpoolError) {
    guard let context = ZSTD_createDCtx() else {
      throw WorkpoolError(.noMemory, "no memory for zstd")
    }
    self.context = context
    self.maxWindow = maxWindow
    super.init(of: name)
  }

  deinit { ZSTD_freeDCtx(context) }

  override fileprivate func size(of parts: UnsafeRawBufferPointer) -> Int {
    guard let header = ZstdFrameHeader(parts) else {
      preconditionFailure("a run holds nothing but frames")
    }
    var end = header.size
    while let block = ZstdBlockHeader(parts, at: end) {
      end += 3 + block.size
      if block.isLast { break }
    }
    return end + (header.hasChecksum ? 4 : 0)
  }

  override fileprivate func decode(
    _ part: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let made = ZSTD_decompressDCtx(
      context, room.baseAddress, room.count, part.baseAddress, part.count)
    return ZSTD_isError(made) == 0 ? made : nil
  }

  override fileprivate func judge(
    _ input: PackedInput, parts: UInt64, into room: UnsafeMutableRawBufferPointer,
    count: inout Int
  ) throws(WorkpoolError) {
    try ZstdUnpacker(input, maxWindow: maxWindow, parts: parts)
      .unpackFrame(into: room, count: &count)
  }
}
