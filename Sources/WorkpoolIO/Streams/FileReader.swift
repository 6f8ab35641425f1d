// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolPipeline

/// An input file: read as decoded bytes, block by block, or as the source of a pipeline.
///
/// Threads: one at a time.
public final class FileReader {
  private(set) var reader: CompressedReader
  private(set) var blocks: BlockReader
  /// Where in the file reading began or was taken up again.
  private(set) var origin = Origin()
  private let source: ByteSource
  private let splitter: Splitter
  private let options: CompressedReader.Options
  private let gzi: String?
  /// Whether a pipeline gets bytes as they come, instead of blocks of one size.
  private var isInPieces = false
  private var knownPlaces: FilePlaces?
  /// Where the last look at headers ended; nil after a seek.
  var lastWalk: HeaderWalk?
  /// A block that did not fit where it should go; it is in `buffer`.
  private var pending: BlockExtent?
  /// A child process shares the place in the file with its parent, and must leave it alone.
  public let forkGeneration: UInt32
  private let buffer = ByteBuffer()
  private var note: UnsafeMutablePointer<CChar>?
  /// A pipeline reads from it.
  public fileprivate(set) var isAttached = false

  /// - Parameter gzi: the path of a .gzi index of the file, for seeks; nil: headers are looked at.
  public init(
    _ endpoint: Endpoint, splitter: Splitter,
    options: CompressedReader.Options = CompressedReader.Options(), gzi: String? = nil
  ) throws(WorkpoolError) {
    wpl_watch_forks()
    forkGeneration = wpl_fork_generation()
    source = try ByteSource(endpoint)
    self.splitter = splitter
    self.options = options
    self.gzi = gzi
    reader = try CompressedReader(source, options: options)
    blocks = BlockReader(reader, splitter: splitter)
  }

  /// Of decoded bytes, whatever they are. The blocks of a pipeline that reads here are what workers unpacked at
  /// once, without a copy, and else have `pieceSize` bytes.
  public convenience init(
    bytesOf endpoint: Endpoint, options: CompressedReader.Options = CompressedReader.Options()
  ) throws(WorkpoolError) {
    try self.init(
      endpoint,
      splitter: .fixed(FixedSplitter(recordSize: 1, count: Self.pieceSize, allowsPartial: true)),
      options: options)
    isInPieces = true
  }

  private static let pieceSize = 1 << 20

  deinit { wpl_free(note) }

  public var name: String { reader.name }
  public var info: StreamInfo { reader.info }
  public var packedSize: UInt64? { reader.packedSize }
  public var notes: [String] { reader.notes }

  /// What the records are, by the first decoded bytes; before anything is read. As
  /// `CompressedReader.recordFormat`.
  public func recordFormat() throws(WorkpoolError) -> RecordFormat? {
    try checkIsFree()
    return try reader.recordFormat()
  }

  /// Decoded bytes; fewer than asked for only at the end, 0 when all of the file was sound.
  public func read(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    try checkIsFree()
    return try reader.read(into: bytes)
  }

  /// The next block of whole records; its bytes are valid until the next call.
  public func next() throws(WorkpoolError) -> (bytes: UnsafeRawBufferPointer, extent: BlockExtent)?
  {
    try checkIsFree()
    if let extent = pending {
      pending = nil
      return (buffer.bytes, extent)
    }
    guard let extent = try blocks.next(into: buffer) else { return nil }
    return (buffer.bytes, extent)
  }

  /// What became of a block that was to go into the caller's memory.
  public enum Filled {
    case block(BlockExtent)
    /// The next block has so many bytes, more than there is room for. It stays the next one.
    case tooSmall(Int)
    case end
  }

  /// Puts the next block of whole records at the start of `room`. It is decoded there if there is room
  /// for some more than the block, else it is copied.
  public func next(into room: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Filled {
    try checkIsFree()
    if pending == nil {
      var isElsewhere = false
      buffer.removeAll()
      let extent = try blocks.next { [buffer] (size) throws(WorkpoolError) in
        if size <= room.count { return room }
        let memory = try buffer.reserve(size)
        if !isElsewhere { memory.copyMemory(from: UnsafeRawBufferPointer(room)) }
        isElsewhere = true
        return memory
      }
      guard let extent else { return .end }
      if !isElsewhere { return .block(extent) }
      buffer.count = extent.size
      pending = extent
    }
    guard let extent = pending else { return .end }
    guard extent.size <= room.count else { return .tooSmall(extent.size) }
    room.copyMemory(from: buffer.bytes)
    pending = nil
    return .block(extent)
  }

  // MARK: Places

  struct Origin {
    var packed: UInt64 = 0
    /// Decoded bytes between there and the first one that was read.
    var within: UInt64 = 0
    /// Decoded bytes before `packed`, where they are known.
    var decoded: UInt64? = 0
  }

  /// Where the next decoded byte that nobody has got lies, from `origin.packed` or, where that is known,
  /// from the start of the file.
  var position: UInt64 {
    if let pending { return pending.offset }
    return blocks.hasBegun ? blocks.offset : reader.info.decodedBytes
  }

  /// Goes on reading at `origin`.
  func enter(_ origin: Origin, _ compression: Compression) throws(WorkpoolError) {
    try checkIsFree()
    pending = nil
    lastWalk = nil
    let start = origin.decoded ?? 0
    reader = try CompressedReader(
      source.copy(at: origin.packed), options: options, continuing: compression,
      decodedBefore: start)
    self.origin = origin
    var left = origin.within
    while left > 0 {
      let size = Int(min(left, 64 << 10))
      let room = try buffer.reserve(size).part(0..<size)
      let got = try reader.read(into: room)
      guard got > 0 else {
        throw WorkpoolError(
          .corruptInput, "ends before the place that is sought", path: name)
      }
      left -= UInt64(got)
    }
    blocks = BlockReader(reader, splitter: splitter, offset: start + origin.within)
  }

  /// Where the file can be entered; an error for what is no regular file.
  func places() throws(WorkpoolError) -> FilePlaces {
    if let known = knownPlaces { return known }
    let places = try FilePlaces(source, compression: reader.info.compression, gzi: gzi)
    knownPlaces = places
    return places
  }

  /// A note as C text, valid until the next call; nil beyond the last one.
  package func noteText(_ index: Int) -> UnsafePointer<CChar>? {
    let notes = reader.notes
    guard notes.indices.contains(index) else { return nil }
    wpl_free(note)
    note = strdup(notes[index])
    return UnsafePointer(note)
  }

  func checkIsFree() throws(WorkpoolError) {
    if isAttached { throw WorkpoolError(.busy, "a pipeline reads from here") }
  }

  /// Says that a pipeline reads from the file, for as long as the pipeline keeps its stages.
  fileprivate final class Attachment {
    let file: FileReader
    var wasRead = false
    init(_ file: FileReader) {
      self.file = file
      file.isAttached = true
    }
    deinit {
      file.isAttached = false
      file.reader.unpack(on: file.options.pool)
    }

    /// Fills a block of the pipeline.
    func read(_ block: UnsafeMutablePointer<Block>, stage: Int) throws(WorkpoolError) -> StageAnswer
    {
      if block.pointee.number == 0 {
        guard !wasRead else {
          throw WorkpoolError(.invalidState, "a reader serves one run", path: file.name)
        }
        wasRead = true
      }
      file.reader.isCancelled = { !block.isWanted(by: stage) }
      defer { file.reader.isCancelled = nil }
      if file.isInPieces {
        let before = file.reader.info.decodedBytes
        let count = try file.reader.read(into: block, size: FileReader.pieceSize)
        block.pointee.size = count
        block.pointee.meta = (UInt64(count), before, before, file.reader.info.packedBytes)
        return count == 0 ? .endOfInput : .goOn
      }
      let extent = try file.blocks.next { (size) throws(WorkpoolError) in
        try block.ownBytes(size)
      }
      guard let extent else { return .endOfInput }
      block.pointee.size = extent.size
      block.pointee.meta.0 = UInt64(extent.records)
      block.pointee.meta.1 = extent.recordsBefore
      block.pointee.meta.2 = extent.offset
      block.pointee.meta.3 = extent.packedBytes
      return .goOn
    }
  }
}

extension Pipeline {
  /// Makes a file the source: each block holds whole records, `meta.0` is their number and `meta.1`
  /// that of the records before them; `meta.2` is where the block begins in the decoded bytes and `meta.3`
  /// how much of the file was taken when it was complete. All workers of the pipeline's pool unpack.
  public func setReader(_ file: FileReader) throws(WorkpoolError) {
    if file.isAttached { throw WorkpoolError(.busy, "a pipeline reads from here") }
    let attachment = FileReader.Attachment(file)
    var stage = Stage("read", .serial, context: Unmanaged.passRetained(attachment).toOpaque()) {
      context, block, _, call in
      guard let context else { return Status.badReturn.rawValue }
      let attachment = Unmanaged<FileReader.Attachment>.fromOpaque(context).takeUnretainedValue()
      let block = block.assumingMemoryBound(to: Block.self)
      let stage = Int(call.assumingMemoryBound(to: StageCall.self).pointee.stage)
      do throws(WorkpoolError) {
        return try attachment.read(block, stage: stage).rawValue
      } catch {
        return block.fail(error)
      }
    }
    stage.finish = { context, _ in
      guard let context else { return StageReturn.ok }
      // A run that ended early needs nothing more of the file.
      Unmanaged<FileReader.Attachment>.fromOpaque(context).takeUnretainedValue().file.reader
        .cancel()
      return StageReturn.ok
    }
    stage.destroyContext = { context in
      if let context { Unmanaged<FileReader.Attachment>.fromOpaque(context).release() }
    }
    do throws(WorkpoolError) {
      try setSource(stage)
    } catch {
      stage.destroyContext?(stage.context)
      throw error
    }
    if let pool, !options.isSerialReference { file.reader.unpack(on: pool) }
  }
}
