// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Blocks of several inputs, one input after the other; no block spans two of them.
///
/// Threads: one at a time.
public final class JoinedBlockReader {
  private let inputs: [Endpoint]
  private let splitter: Splitter
  private let records: RecordFormat?
  /// For inputs that hold FASTA instead, if they may.
  private let fasta: Splitter?
  /// What the inputs hold, from the first one on that tells.
  public private(set) var format: RecordFormat?
  private let options: CompressedReader.Options
  private var sources: [ByteSource?] = []
  private var current: BlockReader?
  private var failure: WorkpoolError?

  /// Of every input begun so far.
  public private(set) var infos: [StreamInfo] = []
  /// Of every input that was read to its end.
  public private(set) var notes: [String] = []

  /// Asked while a read waits for a pipe or FIFO; see `ByteSource.isCancelled`.
  public var isCancelled: (() -> Bool)? {
    didSet { current?.reader.isCancelled = isCancelled }
  }
  /// Bytes of all inputs together; nil unless they are regular files.
  public private(set) var packedSize: UInt64?
  /// Bytes that were taken from the inputs so far.
  public var packedBytesRead: UInt64 {
    var sum: UInt64 = 0
    for info in infos { sum += info.packedBytes }
    return sum
  }
  /// Records of the input that the last block came from, up to and with that block.
  public private(set) var recordsOfLastInput = 0

  /// Opens every input but FIFOs, which would wait for their writers, and reads nothing.
  ///
  /// - Parameters:
  ///   - records: what every input must hold by its first bytes; nil takes anything.
  ///   - fasta: what cuts inputs if all of them hold FASTA instead; nil: they may not.
  /// Errors: those of opening, `ioFailed`.
  public init(
    _ inputs: [Endpoint], splitter: Splitter, records: RecordFormat? = nil,
    fasta: Splitter? = nil,
    options: CompressedReader.Options = CompressedReader.Options()
  ) throws(WorkpoolError) {
    self.inputs = inputs
    self.splitter = splitter
    self.records = records
    self.fasta = fasta
    self.options = options
    for input in inputs {
      let waits = input.info?.isFIFO ?? false
      sources.append(waits ? nil : try ByteSource(input))
    }
    var total: UInt64? = 0
    for source in sources {
      if let sum = total, let size = source?.size { total = sum + size } else { total = nil }
    }
    packedSize = total
  }

  /// The next block, as `BlockReader.next(reserve:)`; `input` of the extent says whose it is.
  public func next(reserve: Reserve) throws(WorkpoolError) -> BlockExtent? {
    if let failure { throw failure }
    do {
      while true {
        if let current {
          let extent = try current.next(reserve: reserve)
          infos[infos.count - 1] = current.reader.info
          if var extent {
            extent.input = infos.count - 1
            recordsOfLastInput = Int(extent.recordsBefore) + extent.records
            return extent
          }
          notes += current.reader.notes
          self.current = nil
        }
        if infos.count == inputs.count { return nil }
        try beginNext()
      }
    } catch {
      failure = error
      throw error
    }
  }

  /// As `BlockReader.next(into:)`.
  public func next(into buffer: ByteBuffer) throws(WorkpoolError) -> BlockExtent? {
    buffer.removeAll()
    let extent = try next { (size) throws(WorkpoolError) in try buffer.reserve(size) }
    buffer.count = extent?.size ?? 0
    return extent
  }

  /// Ends reading; what was read ahead is forgotten. What is known of the inputs stays.
  public func close() {
    if failure == nil { failure = WorkpoolError(.closed, "the reader is closed") }
    current = nil
    sources = []
  }

  private func beginNext() throws(WorkpoolError) {
    let index = infos.count
    let source: ByteSource
    if let open = sources[index] { source = open } else { source = try ByteSource(inputs[index]) }
    sources[index] = nil
    source.isCancelled = isCancelled
    let reader = try CompressedReader(source, options: options)
    if let records, let found = try reader.recordFormat() {
      let wanted = format ?? (found == .fasta && fasta != nil ? .fasta : records)
      guard found == wanted else {
        let hint =
          index > 0
          ? " as \(inputs[0].name) does"
          : found == .fasta ? "; fasta_fake_quality gives its bases a quality" : ""
        throw WorkpoolError(
          .malformedRecord, "holds \(found.name), not \(wanted.name)\(hint)", path: source.name)
      }
      format = wanted
    }
    reader.isCancelled = isCancelled
    infos.append(reader.info)
    let isFASTA = format == .fasta
    current = BlockReader(reader, splitter: isFASTA ? fasta ?? splitter : splitter)
  }
}
