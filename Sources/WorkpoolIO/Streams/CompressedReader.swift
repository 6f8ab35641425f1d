// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What a stream turned out to be.
public struct StreamInfo: Sendable {
  public var compression: Compression
  /// What the first bytes said, where somebody asked.
  public var records: RecordFormat?
  /// Members, blocks or frames begun; 0 in a plain stream.
  public var parts: UInt64
  /// Bytes of the file that were taken so far.
  public var packedBytes: UInt64
  /// Decoded bytes handed out so far.
  public var decodedBytes: UInt64
}

/// The decoded bytes of a plain, gzip, BGZF or zstd stream, told apart by content.
///
/// Every member, block and frame is read to its checked end: the end of the stream is reported
/// only after all of it was sound. Bytes come in, decoded bytes and one end come out; nothing
/// else sees members, so who unpacks them, and in how many threads, may change behind this face.
///
/// Threads: one at a time.
public final class CompressedReader {
  public struct Options: Sendable {
    public var trailing = TrailingBytes.error
    /// The largest window, in bytes, that a zstd frame may ask for; at most 2 GiB.
    public var maxWindow: UInt64 = 128 << 20
    /// Bytes asked of the source at once; changes no result.
    public var readSize = 256 << 10
    /// Unpacks on the workers of this pool, ahead of the reads: BGZF blocks and zstd frames of up to 16 MiB
    /// any of them, all else one after the other. A read that waits works along.
    ///
    /// What is read, noted and where it fails is the same as without. At most four pieces of 1 MiB, or one
    /// frame, are there beside one for each worker; see `PooledUnpacker`.
    public var pool: Pool?
    public init() {}
  }

  private let source: ByteSource
  private let unpacker: Unpacker
  private var pool: Pool?
  private var pooled: PooledUnpacker?
  private var decoder: PartDecoder?
  private var place: StreamPlace
  /// Decoded and not given out: the first bytes, when somebody looked at them, and what else is there.
  private let head = ByteBuffer()
  private var headTaken = 0
  private var ahead = UnsafeRawBufferPointer(start: nil, count: 0)
  private let staging = ByteBuffer()
  private var failure: WorkpoolError?
  private var isAtEnd = false
  private var isEmpty = true
  private var decodedBytes: UInt64
  private let isContinued: Bool
  private var records: RecordFormat?

  /// What is worth telling but no error, complete with the path; complete itself at the end.
  public private(set) var notes: [String] = []

  /// Reads the first bytes of `source`.
  ///
  /// Errors: `unsupported` for other packings, `ioFailed`, `noMemory`.
  public convenience init(
    _ source: ByteSource, options: Options = Options()
  ) throws(WorkpoolError) {
    try self.init(source, options: options, continuing: nil, decodedBefore: 0)
  }

  /// Goes on where `source` is.
  /// - Parameters:
  ///   - compression: what the stream is known to be; nil: as its first bytes say.
  ///   - decodedBefore: decoded bytes before that place.
  init(
    _ source: ByteSource, options: Options, continuing compression: Compression?,
    decodedBefore: UInt64
  ) throws(WorkpoolError) {
    let input = try PackedInput(source, readSize: options.readSize)
    self.source = source
    decodedBytes = decodedBefore
    isContinued = compression != nil
    pool = options.pool
    do {
      let known: Compression
      if let compression {
        known = compression
      } else {
        known = try Format.detect(packed: input.peek(Format.prefixSize))
      }
      unpacker =
        switch known {
        case .plain: try Unpacker(input, trailing: options.trailing)
        case .gzip, .bgzf: try GzipUnpacker(input, trailing: options.trailing)
        case .zstd:
          try ZstdUnpacker(input, trailing: options.trailing, maxWindow: options.maxWindow)
        }
    } catch {
      throw error.inFile(source.name)
    }
    place = unpacker.place
    pool?.retain()
  }

  deinit {
    pooled?.close()
    pool?.release()
  }

  public convenience init(
    path: String, options: Options = Options()
  ) throws(WorkpoolError) {
    try self.init(ByteSource(path: path), options: options)
  }

  /// Asked while a read waits for a pipe or FIFO, maybe on another thread, while there is nothing else to
  /// do; see `ByteSource.isCancelled`.
  public var isCancelled: (() -> Bool)? {
    didSet {
      if let pooled { pooled.setCancelled(isCancelled) } else { source.isCancelled = isCancelled }
    }
  }

  /// From now on unpacks on the workers of a pool, ahead of the reads: see `Options.pool`.
  ///
  /// nil: in the reads. What was read ahead is lost then, and reading on fails.
  public func unpack(on pool: Pool?) {
    pool?.retain()
    if let pooled {
      pooled.close()
      self.pooled = nil
      ahead = UnsafeRawBufferPointer(start: nil, count: 0)
      if failure == nil { failure = WorkpoolError(.closed, "the reader is closed", path: name) }
    }
    self.pool?.release()
    self.pool = pool
  }

  /// Ends work that goes on ahead of the reads, which will fail; returns at once.
  public func cancel() { pooled?.cancel() }

  public var name: String { source.name }

  public var info: StreamInfo {
    StreamInfo(
      compression: place.compression, records: records, parts: place.parts,
      packedBytes: place.packedBytes, decodedBytes: decodedBytes)
  }

  /// Bytes of a regular file; nil for anything else.
  public var packedSize: UInt64? { source.size }

  /// What the records are, by the first decoded bytes, which `read(into:)` gives all the same;
  /// nil for a stream of nothing.
  ///
  /// To be called before the first `read(into:)`.
  /// Errors: as `Format.detect(decoded:)` and `read(into:)`.
  public func recordFormat() throws(WorkpoolError) -> RecordFormat? {
    if let records { return records }
    if head.count == 0 {
      let room = try head.reserve(Format.prefixSize).part(0..<Format.prefixSize)
      head.count = try decode(into: room)
    }
    do {
      let found = try Format.detect(decoded: head.bytes)
      records = found
      return found
    } catch {
      throw error.inFile(name)
    }
  }

  /// Fills `bytes`, which is not empty; less only at the end or in front of an error.
  ///
  /// What was decoded in front of an error is returned first, and the error at every call after
  /// it, so what a reader sees does not depend on the sizes it asks for.
  ///
  /// Errors carry the path, the member, block or frame (from 1) and the byte offset in the file:
  /// `corruptInput`, `truncatedInput`, `unsupported`, `limitExceeded`, `ioFailed`, `noMemory`.
  /// - Returns: the bytes decoded; 0 only at the end, when all of the file was sound.
  public func read(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    var count = min(head.count - headTaken, bytes.count)
    if count > 0 {
      bytes.copyMemory(from: head.bytes.part(headTaken..<headTaken + count))
      headTaken += count
    }
    if count == 0 || count < bytes.count && failure == nil {
      do { count += try decode(into: bytes.part(count..<bytes.count)) } catch {
        if count == 0 { throw error }
      }
    }
    decodedBytes += UInt64(count)
    return count
  }

  /// Makes the next bytes the payload of `block`, as many as come at once: without a copy where workers
  /// unpack, else about `size`. Otherwise as `read(into:)`.
  func read(
    into block: UnsafeMutablePointer<Block>, size: Int
  ) throws(WorkpoolError) -> Int {
    if headTaken == head.count && ahead.isEmpty && failure == nil && !isAtEnd {
      do {
        try startPool()
        if let pooled, let piece = try pooled.next(place: &place) {
          isEmpty = false
          if pooled.handOver(to: block) {
            decodedBytes += UInt64(piece.count)
            return piece.count
          }
          ahead = piece
        }
      } catch {
        failure = error.inFile(name)
      }
    }
    return try read(into: block.ownBytes(size))
  }

  private func decode(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    if bytes.isEmpty {
      throw WorkpoolError(.invalidArgument, "no room to read into", path: name)
    }
    var count = 0
    while count < bytes.count {
      if !ahead.isEmpty {
        let size = min(ahead.count, bytes.count - count)
        bytes.part(count..<bytes.count).copyMemory(from: ahead.part(0..<size))
        ahead = ahead.part(size..<ahead.count)
        count += size
        continue
      }
      if isAtEnd || failure != nil { break }
      do {
        try advance(bytes, &count)
      } catch {
        failure = error.inFile(name)
      }
      if count > 0 || !ahead.isEmpty { isEmpty = false }
    }
    if count == 0, let failure { throw failure }
    return count
  }

  /// Decodes a piece: into the bytes behind the first `count` of `bytes`, or into `ahead`.
  private func advance(
    _ bytes: UnsafeMutableRawBufferPointer, _ count: inout Int
  ) throws(WorkpoolError) {
    try startPool()
    if let pooled {
      if let piece = try pooled.next(place: &place) { ahead = piece } else { end() }
      return
    }
    let room = bytes.part(count..<bytes.count)
    let piece: Piece
    do {
      defer { place = unpacker.place }
      piece = try unpacker.next(into: room, runSize: room.count)
    }
    switch piece {
    case .decoded(let size): count += size
    case .end: end()
    case .packed(let run):
      let decoder: PartDecoder
      if let known = self.decoder { decoder = known } else { decoder = try unpacker.makeDecoder() }
      self.decoder = decoder
      if run.decodedSize <= room.count {
        try decoder.decode(run, into: bytes, count: &count, place: &place)
      } else {
        try staging.reserve(run.decodedSize)
        staging.removeAll()
        defer { ahead = staging.bytes }
        try decoder.decode(run, into: staging.memory, count: &staging.count, place: &place)
      }
    }
  }

  private func startPool() throws(WorkpoolError) {
    guard let pool, pooled == nil, place.compression != .plain else { return }
    source.isCancelled = nil
    pooled = try PooledUnpacker(unpacker, source, on: pool)
    pooled?.setCancelled(isCancelled)
  }

  private func end() {
    isAtEnd = true
    pooled?.close()
    pooled = nil
    notes = unpacker.notes
    if isEmpty && !isContinued { notes.append(name + ": holds no data") }
  }
}

extension WorkpoolError {
  /// The same, with the path where none is known yet.
  func inFile(_ path: String) -> WorkpoolError {
    var error = self
    if error.path == nil { error.path = path }
    return error
  }
}
