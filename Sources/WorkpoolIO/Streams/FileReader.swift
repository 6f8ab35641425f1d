// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolPipeline

/// An input file: read as decoded bytes, block by block, or as the source of a pipeline.
///
/// Threads: one at a time.
public final class FileReader {
  fileprivate let reader: CompressedReader
  fileprivate let blocks: BlockReader
  /// A child process shares the place in the file with its parent, and must leave it alone.
  public let forkGeneration: UInt32
  private let buffer = ByteBuffer()
  private var note: UnsafeMutablePointer<CChar>?
  /// A pipeline reads from it.
  public fileprivate(set) var isAttached = false

  public init(
    _ endpoint: Endpoint, splitter: Splitter,
    options: CompressedReader.Options = CompressedReader.Options()
  ) throws(WorkpoolError) {
    wpl_watch_forks()
    forkGeneration = wpl_fork_generation()
    reader = try CompressedReader(try ByteSource(endpoint), options: options)
    blocks = BlockReader(reader, splitter: splitter)
  }

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
    guard let extent = try blocks.next(into: buffer) else { return nil }
    return (buffer.bytes, extent)
  }

  /// A note as C text, valid until the next call; nil beyond the last one.
  package func noteText(_ index: Int) -> UnsafePointer<CChar>? {
    let notes = reader.notes
    guard notes.indices.contains(index) else { return nil }
    wpl_free(note)
    note = strdup(notes[index])
    return UnsafePointer(note)
  }

  private func checkIsFree() throws(WorkpoolError) {
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
    deinit { file.isAttached = false }
  }
}

extension Pipeline {
  /// Makes a file the source: each block holds whole records, `meta.0` is their number and `meta.1`
  /// that of the records before them; `meta.2` is where the block begins in the decoded bytes and `meta.3`
  /// how much of the file was taken when it was complete.
  public func setReader(_ file: FileReader) throws(WorkpoolError) {
    if file.isAttached { throw WorkpoolError(.busy, "a pipeline reads from here") }
    let attachment = FileReader.Attachment(file)
    try setSource("read") { block, context throws(WorkpoolError) in
      if block.pointee.number == 0 {
        guard !attachment.wasRead else {
          throw WorkpoolError(.invalidState, "a reader serves one run", path: attachment.file.name)
        }
        attachment.wasRead = true
      }
      attachment.file.reader.isCancelled = { !context.isWanted }
      defer { attachment.file.reader.isCancelled = nil }
      let extent = try attachment.file.blocks.next { (size) throws(WorkpoolError) in
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
