// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// Where the blocks of a run come from: the next records of every input, as text.
///
/// Threads: one at a time; `packedBytes` any.
final class ProcessSource {
  private let plan: ProcessPlan
  let readers: [JoinedBlockReader]
  /// Known if all inputs are regular files.
  let packedSize: UInt64?
  /// Bytes taken from the inputs so far.
  let packedBytes = Atomic<UInt64>(0)
  private var readsRead = 0
  /// Of a benchmark: the first block, which is all there is.
  private var first: ProcessBlock?

  /// Opens the inputs and reads nothing.
  init(_ plan: ProcessPlan, on pool: Pool?) throws(WorkpoolError) {
    self.plan = plan
    var splitter: Splitter
    var format: RecordFormat?
    var fasta: Splitter?
    switch plan.content {
    case .records(let recipe, let count):
      let segments = recipe.isInterleaved ? recipe.segments.count : 1
      let whole = (count + segments - 1) / segments * segments
      splitter = .fastq(FASTQSplitter(records: whole, maxRecord: plan.maxRecord))
      format = .fastq
      if plan.fakeQuality != nil {
        fasta = .fasta(FASTASplitter(records: whole, maxRecord: plan.maxRecord))
      }
    case .blocks(let given, _):
      splitter = given
    }
    var options = plan.reader
    if !plan.pipeline.isSerialReference { options.pool = pool }
    var readers: [JoinedBlockReader] = []
    var size: UInt64? = 0
    for inputs in plan.inputs {
      let reader = try JoinedBlockReader(
        inputs, splitter: splitter, records: format, fasta: fasta, options: options)
      readers.append(reader)
      if let packed = reader.packedSize { size? += packed } else { size = nil }
    }
    self.readers = readers
    packedSize = size
  }

  func close() {
    for reader in readers { reader.close() }
  }

  /// Puts the next block of the run behind `block`.
  ///
  /// - Returns: false after the end of the inputs.
  func read(
    _ block: UnsafeMutablePointer<Block>, _ context: StageContext, _ blocks: ProcessBlockPool
  ) throws(WorkpoolError) -> Bool {
    if let wanted = plan.benchmarkReads, readsRead >= wanted, readsRead > 0 { return false }
    let next = try blocks.take()
    var isTaken = false
    defer { if !isTaken { blocks.give(next) } }
    if let first {
      try copy(first, to: next, blocks)
    } else if !(try fill(next, context, blocks)) {
      return false
    }
    next.number = block.pointee.number
    next.batch.firstRead = readsRead
    if let extent = next.extents[0] {
      let records = plan.recipe.map { $0.isInterleaved ? $0.segments.count : 1 } ?? 1
      readsRead += extent.records / records
    }
    if plan.benchmarkReads != nil && first == nil {
      let kept = try blocks.take()
      first = kept
      try copy(next, to: kept, blocks)
    }
    isTaken = true
    block.setData(
      Unmanaged.passRetained(next).toOpaque(), size: max(next.decodedBytes, 1),
      release: { context, data, _, _ in
        guard let context, let data else { return }
        let pool = Unmanaged<ProcessBlockPool>.fromOpaque(context).takeUnretainedValue()
        pool.give(Unmanaged<ProcessBlock>.fromOpaque(data).takeRetainedValue())
      }, context: Unmanaged.passUnretained(blocks).toOpaque())
    return true
  }

  /// - Returns: whether any input has more.
  private func fill(
    _ next: ProcessBlock, _ context: StageContext, _ blocks: ProcessBlockPool
  ) throws(WorkpoolError) -> Bool {
    var isWanted = false
    var taken: UInt64 = 0
    next.decodedBytes = 0
    for (stream, reader) in readers.enumerated() {
      let text = next.batch.segments[stream].text
      blocks.take(&text.bytes)
      reader.isCancelled = { !context.isWanted }
      let extent = try reader.next { (size) throws(WorkpoolError) in try text.bytes.room(size) }
      next.extents[stream] = extent
      text.fakeQuality = reader.format == .fasta ? plan.fakeQuality : nil
      if let extent {
        isWanted = true
        text.bytes.count = extent.size
        text.origin = FASTQOrigin(
          path: plan.inputs[stream][extent.input].name, record: Int(extent.recordsBefore),
          line: Int(extent.linesBefore), byte: Int(extent.offset))
        next.decodedBytes += extent.size
      } else {
        text.bytes.count = 0
        let last = reader.infos.count - 1
        text.origin = FASTQOrigin(
          path: plan.inputs[stream][max(last, 0)].name, record: reader.recordsOfLastInput)
      }
      taken += reader.packedBytesRead
    }
    packedBytes.store(taken, ordering: .relaxed)
    if !isWanted && plan.benchmarkReads != nil {
      throw WorkpoolError(
        .truncatedInput, "a benchmark needs at least one read", path: plan.inputs[0][0].name)
    }
    return isWanted
  }

  private func copy(
    _ first: ProcessBlock, to next: ProcessBlock, _ blocks: ProcessBlockPool
  ) throws(WorkpoolError) {
    for stream in readers.indices {
      let (from, to) = (first.batch.segments[stream].text, next.batch.segments[stream].text)
      blocks.take(&to.bytes)
      to.bytes.count = 0
      try to.bytes.append(from.bytes.start, from.bytes.count)
      to.fakeQuality = from.fakeQuality
      to.origin = from.origin
      next.extents[stream] = first.extents[stream]
    }
    next.decodedBytes = first.decodedBytes
  }
}
