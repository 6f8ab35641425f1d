// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolPipeline

/// An output file that gets its name when it is complete: written by calls, or as the end of a
/// pipeline.
///
/// Threads: one at a time.
public final class FileWriter {
  public struct Options: Sendable {
    /// nil: by the suffix of the path; plain for descriptors.
    public var compression: Compression?
    public var level: Int?
    /// Path of a .gzi index of a gzip output, as `bgzip --reindex` makes it; it gets its name right after
    /// the output.
    public var bgzfIndex: String?
    /// Whether a zstd output ends with a seek table.
    public var hasSeekTable = false
    public var outputSet = OutputSet.Options()
    /// What the output must not be, by device and inode.
    public var inputs: [Endpoint] = []
    public init() {}
  }

  private let outputs: OutputSet
  fileprivate let writer: SlicedWriter
  /// A child process must leave the output alone.
  public let forkGeneration: UInt32
  private let run = ByteBuffer()
  private let packed = ByteBuffer()
  private var isFinished = false
  /// The pipeline that writes to it; the pipeline's stages set and clear it.
  fileprivate unowned(unsafe) var pipeline: Pipeline?
  /// A pipeline writes to it.
  public var isAttached: Bool { pipeline != nil }

  public init(_ endpoint: Endpoint, _ options: Options = Options()) throws(WorkpoolError) {
    var suffix = Compression.plain
    if case .path(let path) = endpoint { suffix = Compression(path: path) }
    let compression = options.compression ?? suffix
    // A level that is not there must not leave anything behind.
    _ = try Packer.make(compression, level: options.level)
    try compression.checkIndex(
      gzi: options.bgzfIndex != nil, seekTable: options.hasSeekTable, path: endpoint.name)
    wpl_watch_forks()
    forkGeneration = wpl_fork_generation()
    var outputOptions = options.outputSet
    outputOptions.hasMarker = false
    var all = [OutputSet.Output(endpoint)]
    if let index = options.bgzfIndex {
      all.append(OutputSet.Output(.path(index), owner: "its index"))
    }
    outputs = try OutputSet(all, inputs: options.inputs, options: outputOptions)
    try outputs.open()
    writer = try SlicedWriter(
      outputs.sink(0), compression: compression, level: options.level, workers: 1,
      gzi: all.count > 1 ? outputs.sink(1) : nil, seekTable: options.hasSeekTable)
  }

  public var info: WriterInfo { writer.info }
  /// Where the output is until it has its name; empty for what is written directly. Any thread.
  public var temporaryFiles: [String] { outputs.temporaryFiles }
  /// Why a pipeline could not write; after its run.
  public fileprivate(set) var failure: WorkpoolError?

  public func write(_ bytes: UnsafeRawBufferPointer) throws(WorkpoolError) {
    try checkIsOpen()
    guard writer.isPacked else { return try writer.write(bytes) }
    run.count = try writer.gather(bytes) { [run] (size) throws(WorkpoolError) in
      try run.reserve(size)
    }
    guard run.count > 0 else { return }
    packed.count = try writer.pack(run.bytes, worker: 0) { [packed] (size) throws(WorkpoolError) in
      try packed.reserve(size)
    }
    try writer.write(packed.bytes)
  }

  /// Completes the file and gives it its name; after the run if a pipeline writes to it.
  /// - Throws: also `invalidState` after a run that did not end well: the file would not be whole.
  public func finish() throws(WorkpoolError) -> WriterInfo {
    guard !isFinished else { throw WorkpoolError(.invalidState, "the writer is finished") }
    if let pipeline {
      guard let outcome = try? pipeline.result() else {  // an error says that no run has ended
        throw WorkpoolError(.busy, "a pipeline writes here")
      }
      guard !outcome.status.isError else {
        throw WorkpoolError(.invalidState, "the run that wrote here did not end well")
      }
    }
    isFinished = true
    do throws(WorkpoolError) {
      try writer.finish()
      try outputs.commit()
    } catch {
      outputs.abandon()
      throw error
    }
    return writer.info
  }

  /// Removes what is not finished.
  public func abandon() {
    isFinished = true
    outputs.abandon()
  }

  private func checkIsOpen() throws(WorkpoolError) {
    guard !isFinished else { throw WorkpoolError(.invalidState, "the writer is finished") }
    guard !isAttached else { throw WorkpoolError(.busy, "a pipeline writes here") }
  }

  /// Says that a pipeline writes to the file, for as long as the pipeline keeps its stages.
  fileprivate final class Attachment {
    let file: FileWriter
    var writer: SlicedWriter { file.writer }
    init(_ file: FileWriter, _ pipeline: Pipeline) {
      self.file = file
      file.pipeline = pipeline
    }
    deinit { file.pipeline = nil }
  }
}

extension Pipeline {
  /// Ends the pipeline with a file: the blocks' bytes are gathered in order, packed on any worker and
  /// written in order. `finish` of the file is the host's, after the run.
  public func setWriter(_ file: FileWriter) throws(WorkpoolError) {
    if file.isAttached { throw WorkpoolError(.busy, "a pipeline writes here") }
    let attachment = FileWriter.Attachment(file, self)
    attachment.writer.prepare(workers: pool?.seatCount ?? 1)
    if attachment.writer.isPacked {
      try addStage("gather", .serial) { block, _ throws(WorkpoolError) in
        let size = try attachment.writer.gather(UnsafeRawBufferPointer(block.bytes)) {
          (size) throws(WorkpoolError) in try block.spareBytes(size)
        }
        if size > 0 { _ = block.commitSpare(size: size) } else { block.pointee.size = 0 }
        return .goOn
      }
      try addStage("pack", .parallel) { block, context throws(WorkpoolError) in
        guard block.pointee.size > 0 else { return .goOn }
        let size = try attachment.writer.pack(
          UnsafeRawBufferPointer(block.bytes), worker: context.worker
        ) { (size) throws(WorkpoolError) in try block.spareBytes(size) }
        _ = block.commitSpare(size: size)
        return .goOn
      }
    }
    try setSink("write") { block, _ throws(WorkpoolError) in
      do throws(WorkpoolError) {
        if block.pointee.size > 0 {
          try attachment.writer.write(UnsafeRawBufferPointer(block.bytes))
        }
        return .goOn
      } catch {
        attachment.file.failure = error
        throw error
      }
    }
  }
}

extension UnsafeMutablePointer where Pointee == Block {
  /// The block's spare buffer as a `Reserve` returns it.
  func spareBytes(_ size: Int) throws(WorkpoolError) -> UnsafeMutableRawBufferPointer {
    guard let spare = spare(size) else { throw WorkpoolError(.noMemory, "no memory for a block") }
    return UnsafeMutableRawBufferPointer(start: spare, count: size)
  }

  /// The block's own memory as a `Reserve` returns it: it grows, and keeps all that is in it.
  func ownBytes(_ size: Int) throws(WorkpoolError) -> UnsafeMutableRawBufferPointer {
    pointee.size = pointee.capacity
    guard reserve(size) else { throw WorkpoolError(.noMemory, "no memory for a block") }
    return UnsafeMutableRawBufferPointer(start: pointee.data, count: pointee.capacity)
  }
}
