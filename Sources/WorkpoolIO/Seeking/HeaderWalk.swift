// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Goes from block to block, or frame to frame, of a regular file by their headers alone.
///
/// Reads a few bytes of each, wherever the source's own place is.
struct HeaderWalk {
  /// What lies between one place and the next.
  struct Part {
    var packedSize: UInt64
    var decodedSize: UInt64
  }

  private let source: ByteSource
  private let fileSize: UInt64
  private let buffer = ByteBuffer()
  /// Where the next part begins; its decoded place counts from where the walk began.
  private(set) var place: SeekPoints.Point

  init(_ source: ByteSource, fileSize: UInt64, from place: SeekPoints.Point) {
    self.source = source
    self.fileSize = fileSize
    self.place = place
  }

  mutating func pass(_ part: Part) {
    place.packed += part.packedSize
    place.decoded &+= part.decodedSize
  }

  // MARK: BGZF

  /// The block that begins here; nil at the end, which may be followed by zeros.
  ///
  /// Errors: `unsupported` where there is anything else; `truncatedInput`, `ioFailed`.
  func block() throws(WorkpoolError) -> Part? {
    if place.packed >= fileSize { return nil }
    guard let headerSize = BGZFBlock.headerSize(try bytes(at: 0, 18)) else {
      if try isPadding() { return nil }
      throw fault(.unsupported, "cannot be sought: here is no BGZF block")
    }
    guard let size = BGZFBlock(header: try bytes(at: 0, headerSize))?.size else {
      throw fault(.unsupported, "cannot be sought: here is no BGZF block")
    }
    let length = try bytes(at: UInt64(size - 4), 4)
    guard length.count == 4 else { throw fault(.truncatedInput, "the file ends inside a block") }
    return Part(packedSize: UInt64(size), decodedSize: length.integer(at: 0, size: 4))
  }

  /// Whether all that is left is zeros, as behind the last member on a tape.
  private func isPadding() throws(WorkpoolError) -> Bool {
    var offset: UInt64 = 0
    while case let rest = try bytes(at: offset, 64 << 10), !rest.isEmpty {
      for byte in rest where byte != 0 { return false }
      offset += UInt64(rest.count)
    }
    return true
  }

  // MARK: Zstd

  /// The frame, or skippable frame, that begins here; nil at the end.
  ///
  /// Errors: `unsupported` for a frame that does not say its size, or anything else;
  /// `truncatedInput`, `ioFailed`.
  func frame() throws(WorkpoolError) -> Part? {
    if place.packed >= fileSize { return nil }
    let start = try bytes(at: 0, ZstdFrameHeader.largest)
    if case .skippable = ZstdMagic(start), start.count >= 8 {
      return Part(packedSize: 8 + start.integer(at: 4, size: 4), decodedSize: 0)
    }
    guard case .frame = ZstdMagic(start), let header = ZstdFrameHeader(start) else {
      throw fault(.unsupported, "cannot be sought: here is no zstd frame")
    }
    guard let contentSize = header.contentSize else {
      throw fault(
        .unsupported, "cannot be sought: the frame does not say its size, and no seek table does")
    }
    var size = UInt64(header.size)
    while true {
      let bytes = try bytes(at: size, 3)
      guard bytes.count == 3 else { throw fault(.truncatedInput, "the file ends inside a frame") }
      guard let block = ZstdBlockHeader(bytes, at: 0) else {
        throw fault(.corruptInput, "damaged zstd data (a block of no kind)")
      }
      size += 3 + UInt64(block.size)
      if block.isLast { break }
    }
    return Part(packedSize: size + (header.hasChecksum ? 4 : 0), decodedSize: contentSize)
  }

  /// At most `count` bytes from `offset` behind this place on; fewer only at the end.
  private func bytes(
    at offset: UInt64, _ count: Int
  ) throws(WorkpoolError) -> UnsafeRawBufferPointer {
    let room = try buffer.reserve(count).part(0..<count)
    let got = try source.read(at: place.packed + offset, into: room)
    return UnsafeRawBufferPointer(room.part(0..<got))
  }

  private func fault(_ status: Status, _ message: String) -> WorkpoolError {
    WorkpoolError(
      status, message, path: source.name, place: "byte \(place.packed) of the file")
  }
}
