// SPDX-License-Identifier: MIT
import WorkpoolCore

/// One packed output in the pieces that stages of a pipeline use: gathering in order, packing on any
/// worker, writing in order. Plain outputs need the last one alone.
public final class SlicedWriter {
  public let compression: Compression
  private let level: Int?
  private let gatherer: SliceGatherer
  private let sink: ByteSink
  /// One for each worker, made when it is first needed.
  private var packers: [Packer?]
  private var plainBytes: UInt64 = 0
  private let index: OutputIndex?
  /// Where a .gzi index goes.
  private let gzi: ByteSink?

  /// Errors: `invalidArgument` for a level that is not there, or an index that the compression does not
  /// have; `noMemory`.
  /// - Parameters:
  ///   - gzi: gets the index of a BGZF output, which `bgzip --reindex` would make, and is closed with it.
  ///   - seekTable: whether a zstd output ends with a seek table.
  public init(
    _ sink: ByteSink, compression: Compression, level: Int?, workers: Int, gzi: ByteSink? = nil,
    seekTable: Bool = false
  ) throws(WorkpoolError) {
    try compression.checkIndex(gzi: gzi != nil, seekTable: seekTable, path: sink.name)
    index = gzi != nil ? OutputIndex(.bgzf) : seekTable ? OutputIndex(.zstd) : nil
    self.gzi = gzi
    self.sink = sink
    self.compression = compression
    self.level = level
    gatherer = SliceGatherer(sliceSize: compression.sliceSize)
    packers = Array(repeating: nil, count: max(workers, 1))
    packers[0] = try Packer.make(compression, level: level)
  }

  public var isPacked: Bool { compression != .plain }

  /// Makes room for more workers, before they begin.
  public func prepare(workers: Int) {
    while packers.count < workers { packers.append(nil) }
  }

  /// In order: puts the slices that are complete with `bytes` where `reserve` says.
  /// - Returns: their bytes; the rest waits for the next call.
  public func gather(
    _ bytes: UnsafeRawBufferPointer, reserve: Reserve
  ) throws(WorkpoolError) -> Int {
    try gatherer.gather(bytes, reserve: reserve)
  }

  /// On any worker, each with its own packer: packs what `gather` made.
  /// - Returns: the bytes written where `reserve` says.
  public func pack(
    _ run: UnsafeRawBufferPointer, worker: Int, reserve: Reserve
  ) throws(WorkpoolError) -> Int {
    let packer = try packer(worker)
    return try packer.pack(run, into: try reserve(packer.bound(run.count)))
  }

  private func packer(_ worker: Int) throws(WorkpoolError) -> Packer {
    if let packer = packers[worker] { return packer }
    let packer = try Packer.make(compression, level: level)
    packers[worker] = packer
    return packer
  }

  /// In order: writes what `pack` made; or any bytes of a plain output.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(WorkpoolError) {
    if !isPacked { plainBytes += UInt64(bytes.count) }
    try index?.add(bytes)
    try sink.write(bytes)
  }

  /// After the last block: writes what is left and what ends the format, and closes the output.
  public func finish() throws(WorkpoolError) {
    if isPacked {
      let rest = ByteBuffer()
      rest.count = try gatherer.finish { (size) throws(WorkpoolError) in try rest.reserve(size) }
      let packed = ByteBuffer()
      let packer = try packer(0)
      packed.count = try packer.packEnd(
        rest.bytes, total: gatherer.total, into: try packed.reserve(packer.bound(rest.count)))
      try index?.add(packed.bytes)
      try sink.write(packed.bytes)
    }
    if let index {
      let encoded = try index.encoded()
      defer { withExtendedLifetime(encoded) {} }
      try (gzi ?? sink).write(encoded.bytes)
    }
    try sink.close()
    try gzi?.close()
  }

  public var info: WriterInfo {
    WriterInfo(
      compression: compression, bytes: isPacked ? gatherer.total : plainBytes,
      packedBytes: sink.bytesWritten)
  }
}

extension Compression {
  /// Refuses an index of an output that cannot have it.
  public func checkIndex(gzi: Bool, seekTable: Bool, path: String) throws(WorkpoolError) {
    if gzi && self != .gzip && self != .bgzf {
      throw WorkpoolError(
        .invalidArgument, "a BGZF index is for gzip, and this is \(name)", path: path)
    }
    if seekTable && self != .zstd {
      throw WorkpoolError(
        .invalidArgument, "a seek table is for zstd, and this is \(name)", path: path)
    }
  }
}
