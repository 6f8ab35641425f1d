// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Where in a regular file reading can go on.
///
/// Threads: one at a time, while nobody reads.
final class FilePlaces {
  typealias Origin = FileReader.Origin

  let compression: Compression
  private let source: ByteSource
  private let fileSize: UInt64
  private let gzi: String?
  private var index: SeekIndex?

  /// Errors: `unsupported` for anything but a regular file; `ioFailed`.
  /// - Parameter compression: as a reader of the file says; gzip may be BGZF.
  init(
    _ source: ByteSource, compression: Compression, gzi: String?
  ) throws(WorkpoolError) {
    guard let size = source.sizeFromStart else {
      throw WorkpoolError(
        .unsupported, "cannot be sought: it is no regular file", path: source.name)
    }
    self.source = source
    self.gzi = gzi
    fileSize = size
    guard case .gzip = compression else {
      self.compression = compression
      return
    }
    let walk = HeaderWalk(
      source, fileSize: fileSize, from: SeekPoints.Point(packed: 0, decoded: 0))
    do {
      _ = try walk.block()
      self.compression = .bgzf
    } catch {
      if error.status == .ioFailed { throw error }
      self.compression = .gzip
    }
  }

  /// Where to go on for the byte at `offset` of the decoded bytes; what is behind the end is the end.
  func origin(offset: UInt64) throws(WorkpoolError) -> Origin {
    if offset == 0 { return Origin() }
    switch compression {
    case .plain:
      let offset = min(offset, fileSize)
      return Origin(packed: offset, decoded: offset)
    case .gzip:
      throw WorkpoolError(
        .unsupported, "cannot be sought: a gzip file that is no BGZF has to be read from the start",
        path: source.name)
    case .bgzf, .zstd: break
    }
    let index = try madeIndex()
    let offset = min(offset, index.decodedSize)
    let number = index.points.index(decoded: offset)
    let point = index.points[number]
    if index.isBelieved {
      // The two before: one could end late as the other begins late.
      for first in max(number - 2, 0)...number where first + 1 < index.points.count {
        try check(index.points[first], index.points[first + 1])
      }
    }
    return Origin(packed: point.packed, within: offset - point.decoded, decoded: point.decoded)
  }

  /// Where to go on for a BGZF virtual offset: the byte of the file where a block begins, times 65536,
  /// and a byte of that block (SAM specification §4.1.1).
  func origin(virtualOffset: UInt64) throws(WorkpoolError) -> Origin {
    try checkIsBlocked()
    let (packed, within) = (virtualOffset >> 16, virtualOffset & 0xffff)
    let walk = HeaderWalk(
      source, fileSize: fileSize, from: SeekPoints.Point(packed: packed, decoded: 0))
    let block: HeaderWalk.Part?
    do {
      block = try walk.block()
    } catch {
      if error.status == .ioFailed { throw error }
      block = nil
    }
    guard within <= block?.decodedSize ?? 0, block != nil || packed == fileSize else {
      throw WorkpoolError(
        .invalidArgument, "\(virtualOffset) is no virtual offset of this file", path: source.name)
    }
    let isStart = packed == 0
    return Origin(packed: packed, within: within, decoded: isStart ? 0 : nil)
  }

  /// Decoded bytes before the block or frame that begins at `packed`.
  func decoded(before packed: UInt64) throws(WorkpoolError) -> UInt64 {
    let index = try madeIndex()
    let number = index.points.index(packed: packed)
    let point = index.points[number]
    if point.packed == packed || number + 1 == index.points.count { return point.decoded }
    // Between points there are empty blocks at most.
    return index.points[number + 1].decoded
  }

  /// A walk over the blocks behind a place where reading began.
  func walk(from packed: UInt64) throws(WorkpoolError) -> HeaderWalk {
    try checkIsBlocked()
    return HeaderWalk(
      source, fileSize: fileSize, from: SeekPoints.Point(packed: packed, decoded: 0))
  }

  private func checkIsBlocked() throws(WorkpoolError) {
    guard compression == .bgzf else {
      throw WorkpoolError(
        .unsupported, "has no virtual offsets: it is no BGZF file", path: source.name)
    }
  }

  private func madeIndex() throws(WorkpoolError) -> SeekIndex {
    if let index { return index }
    let made =
      compression == .zstd
      ? try SeekIndex(frames: source, fileSize: fileSize)
      : try SeekIndex(blocks: source, fileSize: fileSize, gzi: gzi)
    index = made
    return made
  }

  /// Compares what a .gzi file or a seek table says with the block or frame that is there.
  private func check(
    _ point: SeekPoints.Point, _ next: SeekPoints.Point
  ) throws(WorkpoolError) {
    let walk = HeaderWalk(source, fileSize: fileSize, from: point)
    var size: UInt64?
    do {
      let part = compression == .zstd ? try walk.frame() : try walk.block()
      if let part, point.packed + part.packedSize <= next.packed { size = part.decodedSize }
    } catch {
      if error.status == .ioFailed { throw error }
      // A frame may leave it to the table to say how large it is.
      if error.status == .unsupported && compression == .zstd { return }
    }
    guard size == next.decoded - point.decoded else {
      let place = "byte \(point.packed)"
      if compression == .zstd {
        throw WorkpoolError(
          .corruptInput, "the frame is not as the seek table says", path: source.name,
          place: place)
      }
      throw WorkpoolError(
        .corruptInput, "is no .gzi index of \(source.name)", path: gzi, place: place)
    }
  }
}

extension FileReader {
  /// Goes on reading at a byte of the decoded bytes; behind the end: at the end. Records, members, blocks
  /// and frames count from there.
  ///
  /// Plain files, BGZF by its index or its headers, zstd by a seek table or headers that say sizes; 0 works
  /// for every regular file. Damage in what is passed over is not seen.
  ///
  /// Errors: `unsupported` for other files, `corruptInput` for an index that does not fit, `busy`,
  /// and those of reading; nothing has moved after `unsupported` and `corruptInput` of an index.
  public func seek(to offset: UInt64) throws(WorkpoolError) {
    try checkIsFree()
    let places = try places()
    let origin = try places.origin(offset: offset)
    try enter(origin, places.compression)
  }

  /// Which decoded byte comes next. Errors: after a seek to a virtual offset those of `seek(to:)`.
  public func tell() throws(WorkpoolError) -> UInt64 {
    try checkIsFree()
    if origin.decoded != nil { return position }
    return try places().decoded(before: origin.packed) + position
  }

  /// Goes on reading at a BGZF virtual offset; needs no index.
  ///
  /// Errors: `invalidArgument` where no block begins or the block is shorter; else as `seek(to:)`.
  public func seek(toVirtual virtualOffset: UInt64) throws(WorkpoolError) {
    try checkIsFree()
    let places = try places()
    let origin = try places.origin(virtualOffset: virtualOffset)
    try enter(origin, places.compression)
  }

  /// The virtual offset of the byte that comes next; at the end of a block that of the next block with data.
  ///
  /// The headers of blocks that were read since the last seek are looked at, each of them once.
  public func tellVirtual() throws(WorkpoolError) -> UInt64 {
    try checkIsFree()
    let position = position - (origin.decoded ?? 0)
    var walk = try currentWalk()
    while let block = try walk.block(), position >= walk.place.decoded + block.decodedSize {
      walk.pass(block)
    }
    lastWalk = walk
    return walk.place.packed << 16 | (position - walk.place.decoded)
  }

  private func currentWalk() throws(WorkpoolError) -> HeaderWalk {
    if let lastWalk { return lastWalk }
    return try places().walk(from: origin.packed)
  }
}
