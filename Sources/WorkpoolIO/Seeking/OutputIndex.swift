// SPDX-License-Identifier: MIT
import CZstd
import WorkpoolCore

/// The index of an output that is being written: where its blocks or frames begin.
///
/// Fed with what is written, in order, it does not matter to it who packed that.
///
/// Threads: one at a time.
final class OutputIndex {
  /// What becomes of it.
  enum Kind {
    /// A file of its own as `bgzip --reindex` makes it: a count, then for every block of data but
    /// the first the packed and the decoded bytes before it, all of them 64 bits, little-endian.
    case bgzf
    /// A skippable frame at the end of the output: the seek table of zstd's seekable format 0.1.1.
    case zstd
  }

  private let kind: Kind
  private var points = SeekPoints()
  private var end = SeekPoints.Point(packed: 0, decoded: 0)

  init(_ kind: Kind) { self.kind = kind }

  /// Takes note of whole blocks or frames of the packer. Errors: `noMemory`.
  func add(_ packed: UnsafeRawBufferPointer) throws(WorkpoolError) {
    var taken = 0
    while taken < packed.count {
      let rest = packed.part(taken..<packed.count)
      let (size, decoded) = kind == .bgzf ? Self.block(rest) : Self.frame(rest)
      // The end marker of BGZF has no data and is not listed; the frame of an empty output is.
      if decoded > 0 || kind == .zstd { try points.append(end) }
      end.packed += UInt64(size)
      end.decoded += UInt64(decoded)
      taken += size
    }
  }

  private static func block(_ bytes: UnsafeRawBufferPointer) -> (size: Int, decoded: Int) {
    guard let block = BGZFBlock(header: bytes), block.size <= bytes.count else {
      preconditionFailure("a packer makes whole blocks")
    }
    return (block.size, block.decodedSize(bytes))
  }

  private static func frame(_ bytes: UnsafeRawBufferPointer) -> (size: Int, decoded: Int) {
    let size = ZSTD_findFrameCompressedSize(bytes.baseAddress, bytes.count)
    let decoded = ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count)
    precondition(ZSTD_isError(size) == 0 && decoded < 1 << 32, "a packer makes whole frames")
    return (size, Int(decoded))
  }

  /// What the index consists of. Errors: `noMemory`, `limitExceeded`.
  func encoded() throws(WorkpoolError) -> ByteBuffer {
    kind == .bgzf ? try blockList() : try seekTable()
  }

  private func blockList() throws(WorkpoolError) -> ByteBuffer {
    let bytes = ByteBuffer()
    let count = max(points.count - 1, 0)
    try bytes.append(UInt64(count))
    for index in 0..<count {
      try bytes.append(points[index + 1].packed)
      try bytes.append(points[index + 1].decoded)
    }
    return bytes
  }

  private func seekTable() throws(WorkpoolError) -> ByteBuffer {
    let bytes = ByteBuffer()
    guard points.count <= ZstdSeekTable.maxFrames else {
      throw WorkpoolError(.limitExceeded, "has more frames than a seek table can list")
    }
    try bytes.append(ZstdSeekTable.frameMagic)
    try bytes.append(UInt32(points.count * 8 + ZstdSeekTable.footerSize))
    for index in 0..<points.count {
      let (this, next) = (points[index], index + 1 < points.count ? points[index + 1] : end)
      try bytes.append(UInt32(next.packed - this.packed))
      try bytes.append(UInt32(next.decoded - this.decoded))
    }
    try bytes.append(UInt32(points.count))
    try bytes.append(UInt8(0))  // no checksums here: every frame has its own
    try bytes.append(ZstdSeekTable.magic)
    return bytes
  }
}

extension ByteBuffer {
  /// Little-endian.
  fileprivate func append<Value: FixedWidthInteger>(_ value: Value) throws(WorkpoolError) {
    let size = MemoryLayout<Value>.size
    try reserve(count + size)
    memory.storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
    count += size
  }
}
