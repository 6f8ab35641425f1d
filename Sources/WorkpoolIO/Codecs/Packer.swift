// SPDX-License-Identifier: MIT
import CPlatform
import CZstd
import WorkpoolCore

/// Packs slices of one output (`Compression.sliceSize`), each on its own: a slice gives the same
/// bytes whoever packs it, beside which others. One context, used again for every slice.
///
/// Threads: one at a time; as many packers as there are workers.
public class Packer {
  public let compression: Compression

  /// A packer for `compression`. Errors: `invalidArgument` for a level that is not there,
  /// `noMemory`.
  public static func make(
    _ compression: Compression, level: Int? = nil
  ) throws(WorkpoolError) -> Packer {
    let level = level ?? compression.defaultLevel
    guard compression == .plain || compression.levels.contains(level) else {
      let levels = compression.levels
      throw WorkpoolError(
        .invalidArgument,
        "\(compression.name) has levels \(levels.lowerBound) to \(levels.upperBound), not \(level)")
    }
    return switch compression {
    case .plain: Packer(.plain)
    case .gzip, .bgzf: try BGZFPacker(level: level)
    case .zstd: try ZstdPacker(level: level)
    }
  }

  init(_ compression: Compression) { self.compression = compression }

  /// The most bytes that `pack` and `packEnd` make of `count` bytes.
  public final func bound(_ count: Int) -> Int {
    let size = compression.sliceSize
    if size == 0 { return count }
    return count / size * sliceBound(size) + sliceBound(count % size) + endBound
  }

  /// Packs a run of whole slices into `packed`, which holds `bound(run.count)` bytes.
  ///
  /// - Parameter run: a multiple of the slice size; at the end of the output anything.
  /// - Returns: the bytes written.
  public final func pack(
    _ run: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int {
    let size = compression.sliceSize
    if size == 0 {
      packed.copyMemory(from: run)
      return run.count
    }
    var (taken, made) = (0, 0)
    while taken < run.count {
      let slice = run.part(taken..<min(taken + size, run.count))
      made += try packSlice(slice, into: packed.part(made..<packed.count))
      taken += slice.count
    }
    return made
  }

  /// Packs the rest of an output, less than a slice or nothing, and what ends the format.
  ///
  /// - Parameter total: bytes of the whole output, `rest` included.
  public final func packEnd(
    _ rest: UnsafeRawBufferPointer, total: UInt64, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int {
    let made = try pack(rest, into: packed)
    return made + (try packMark(isEmpty: total == 0, into: packed.part(made..<packed.count)))
  }

  // MARK: For subclasses

  func sliceBound(_ count: Int) -> Int { count }
  var endBound: Int { 0 }
  func packSlice(
    _ slice: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int { 0 }
  /// What stands behind the last slice.
  func packMark(
    isEmpty: Bool, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int { 0 }
}

/// One BGZF block per slice (SAM specification §4.1).
final class BGZFPacker: Packer {
  private static let headerSize = 18
  private static let trailerSize = 8
  /// A stored deflate block: one byte of header bits, LEN, NLEN (RFC 1951 §3.2.4).
  private static let storedHeaderSize = 5

  private let deflater: Deflater?
  /// Comes first: it declines what is not for it.
  private let fastqDeflater: FASTQDeflater?
  /// For FASTQ whose qualities are not binned. nil: as for all else.
  private let noiseDeflater: Deflater?

  /// Up to this level such FASTQ is packed with level 1. Of 98 MB, by two workers that also filter: level 1 36.1 MB
  /// in 0.48 s, 2 35.4 in 0.74, 4 35.0 in 0.95, 5 34.5 in 1.22, 6 34.1 in 1.65.
  private static let lastLevelOfNoise = 4

  init(level: Int) throws(WorkpoolError) {
    deflater = level == 0 ? nil : try Deflater(level: level)
    fastqDeflater = level == 0 ? nil : try FASTQDeflater(level: level)
    noiseDeflater = (2...Self.lastLevelOfNoise).contains(level) ? try Deflater(level: 1) : nil
    super.init(.gzip)
  }

  override func sliceBound(_ count: Int) -> Int {
    count + Self.headerSize + Self.storedHeaderSize + Self.trailerSize
  }
  override var endBound: Int { 28 }

  override func packSlice(
    _ slice: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int {
    // Never more room than a stored block needs: the choice between the two, and BSIZE, do not
    // depend on the room that happens to be there.
    let room = packed.part(Self.headerSize..<Self.headerSize + slice.count + Self.storedHeaderSize)
    let size = deflate(slice, into: room) ?? store(slice, into: room)
    let total = Self.headerSize + size + Self.trailerSize
    writeHeader(blockSize: total, into: packed)
    let trailer = packed.part(Self.headerSize + size..<total)
    write(UInt32(checksum(0, slice)), to: trailer, at: 0)
    write(UInt32(slice.count), to: trailer, at: 4)
    return total
  }

  /// - Returns: nil where storing it takes no more.
  private func deflate(
    _ slice: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> Int? {
    switch fastqDeflater?.deflate(slice, into: room) {
    case .packed(let size): size
    case .manyQualities where noiseDeflater != nil: noiseDeflater?.deflate(slice, into: room)
    case .manyQualities, .declined, nil: deflater?.deflate(slice, into: room)
    }
  }

  /// The end marker: a block of no bytes, in its shortest form.
  override func packMark(
    isEmpty: Bool, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int {
    writeHeader(blockSize: 28, into: packed)
    write(UInt16(3), to: packed, at: 18)
    write(UInt64(0), to: packed, at: 20)
    return 28
  }

  private func store(
    _ slice: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> Int {
    room[0] = 1
    write(UInt16(slice.count), to: room, at: 1)
    write(~UInt16(slice.count), to: room, at: 3)
    room.part(Self.storedHeaderSize..<room.count).copyMemory(from: slice)
    return room.count
  }

  private func writeHeader(blockSize: Int, into packed: UnsafeMutableRawBufferPointer) {
    write(UInt32(0x0408_8b1f), to: packed, at: 0)  // magic, deflate, FEXTRA
    write(UInt32(0), to: packed, at: 4)  // MTIME
    write(UInt32(0x0006_ff00), to: packed, at: 8)  // XFL, OS unknown, XLEN
    write(UInt32(0x0002_4342), to: packed, at: 12)  // "BC", 2 bytes
    write(UInt16(blockSize - 1), to: packed, at: 16)
  }

  private func write<Value: FixedWidthInteger>(
    _ value: Value, to bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) {
    bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
  }
}

/// One frame per slice, with content size and checksum (RFC 8878 §3.1.1).
final class ZstdPacker: Packer {
  private let context: OpaquePointer

  init(level: Int) throws(WorkpoolError) {
    guard let context = ZSTD_createCCtx() else {
      throw WorkpoolError(.noMemory, "no memory for zstd")
    }
    _ = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
    _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    self.context = context
    super.init(.zstd)
  }

  deinit { ZSTD_freeCCtx(context) }

  override func sliceBound(_ count: Int) -> Int { ZSTD_compressBound(count) }
  override var endBound: Int { ZSTD_compressBound(0) }

  override func packSlice(
    _ slice: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int {
    let code = ZSTD_compress2(
      context, packed.baseAddress, packed.count, slice.baseAddress, slice.count)
    if ZSTD_isError(code) != 0 {
      throw WorkpoolError(.noMemory, "cannot pack: \(String(cString: ZSTD_getErrorName(code)))")
    }
    return code
  }

  /// An output of no bytes is one empty frame: a file of no bytes is no zstd file.
  override func packMark(
    isEmpty: Bool, into packed: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int {
    isEmpty ? try packSlice(UnsafeRawBufferPointer(start: nil, count: 0), into: packed) : 0
  }
}
