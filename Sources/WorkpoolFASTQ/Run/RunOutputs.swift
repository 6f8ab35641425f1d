// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// What a run writes: the outputs of its plan, the files of its steps, hashes and the report.
///
/// Blocks come in order to `gather` and to `write`, and to `pack` on any worker.
final class RunOutputs {
  /// How one output of the plan is written.
  private enum Way {
    case sliced(SlicedWriter)
    case chunked(ChunkedOutput)
  }

  private let plan: ProcessPlan
  private let outputSet: OutputSet
  private var ways: [Way] = []
  /// Files besides the reads.
  private(set) var stepFiles: [StepFileWriter] = []
  // For each output, if asked for.
  private var contentHashes: [OutputHash?] = []
  private var fileHashes: [OutputHash?] = []

  /// Judges the outputs and changes nothing.
  init(_ plan: ProcessPlan) throws(WorkpoolError) {
    self.plan = plan
    outputSet = try OutputSet(
      plan.outputs.map { OutputSet.Output($0.endpoint, owner: $0.owner) }
        + plan.sideFiles.map { OutputSet.Output($0.endpoint, owner: $0.owner) }
        + plan.outputs.compactMap { output in
          output.bgzfIndex.map { OutputSet.Output(.path($0), owner: "index of " + output.owner) }
        },
      inputs: plan.inputs.flatMap { $0 } + (plan.recipe?.inputs ?? []).map { .path($0) },
      prefix: plan.prefix, options: plan.outputSet)
  }

  /// Any thread, any time.
  var temporaryFiles: [String] { outputSet.temporaryFiles }

  func open(workers: Int) throws(WorkpoolError) {
    // A level that is not there must not leave anything behind.
    for output in plan.outputs {
      _ = try Packer.make(output.compression, level: output.level)
      try output.compression.checkIndex(
        gzi: output.bgzfIndex != nil, seekTable: output.hasSeekTable, path: output.endpoint.name)
    }
    let token = plan.pipeline.token
    try outputSet.open { token?.isCancelled ?? false }
    let files = plan.sideFiles
    var indexes = plan.outputs.count + files.count
    for (index, output) in plan.outputs.enumerated() {
      if let chunks = output.chunks {
        ways.append(.chunked(try ChunkedOutput(output, chunks, in: outputSet, first: index)))
        continue
      }
      var gzi: ByteSink?
      if output.bgzfIndex != nil {
        gzi = outputSet.sink(indexes)
        indexes += 1
      }
      ways.append(
        .sliced(
          try SlicedWriter(
            outputSet.sink(index), compression: output.compression, level: output.level,
            workers: workers, gzi: gzi, seekTable: output.hasSeekTable)))
    }
    for (index, file) in files.enumerated() {
      let sink = outputSet.sink(plan.outputs.count + index)
      stepFiles.append(
        StepFileWriter(
          try SlicedWriter(sink, compression: file.compression, level: file.level, workers: 1)))
    }
    watch()
  }

  private func watch() {
    var file = plan.recipe?.files.count ?? 0
    for (index, output) in plan.outputs.enumerated() {
      let isWhole = output.chunks == nil
      contentHashes.append(isWhole && output.hashesContent ? OutputHash(file: file) : nil)
      if contentHashes[index] != nil { file += 1 }
      fileHashes.append(isWhole && output.hashesFile ? OutputHash(file: file) : nil)
      guard let hash = fileHashes[index] else { continue }
      file += 1
      outputSet.sink(index).watch = { hash.sha.add($0) }
    }
  }

  /// Whether `gather` and `pack` have something to do.
  var isPacked: Bool { ways.indices.contains { packed($0) != nil } }

  private func packed(_ index: Int) -> SlicedWriter? {
    if case .sliced(let writer) = ways[index], writer.isPacked { writer } else { nil }
  }

  // MARK: Blocks

  func gather(_ block: ProcessBlock, _ blocks: ProcessBlockPool) throws(WorkpoolError) {
    for index in ways.indices {
      guard let writer = packed(index) else { continue }
      let output = block.outputs[index]
      contentHashes[index]?.sha.add(output.part)
      let run = OutputText()
      blocks.take(&run.bytes)
      let size = try writer.gather(output.part) { (size) throws(WorkpoolError) in
        try run.bytes.room(size)
      }
      blocks.give(&output.bytes)
      let made = run.bytes.giveAway()
      output.bytes.adopt(made.memory, count: size, capacity: made.capacity)
    }
  }

  func pack(
    _ block: ProcessBlock, worker: Int, _ blocks: ProcessBlockPool
  ) throws(WorkpoolError) {
    for index in ways.indices {
      let output = block.outputs[index]
      guard let writer = packed(index), output.bytes.count > 0 else { continue }
      let packed = OutputText()
      blocks.take(&packed.bytes)
      let size = try writer.pack(output.part, worker: worker) {
        (size) throws(WorkpoolError) in try packed.bytes.room(size)
      }
      blocks.give(&output.bytes)
      let made = packed.bytes.giveAway()
      output.bytes.adopt(made.memory, count: size, capacity: made.capacity)
    }
  }

  func write(_ block: ProcessBlock) throws(WorkpoolError) {
    for (index, way) in ways.enumerated() {
      let part = block.outputs[index].part
      guard part.count > 0 else { continue }
      switch way {
      case .sliced(let writer):
        if !writer.isPacked { contentHashes[index]?.sha.add(part) }
        try writer.write(part)
      case .chunked(let output): try output.write(part)
      }
    }
  }

  // MARK: The end

  /// Completes all files and gives them their names.
  ///
  /// - Parameter timing: what goes into the file of times.
  func finish(timing: String) throws(WorkpoolError) {
    try plan.recipe?.end()
    if plan.timing != nil { try stepFiles.last?.write(timing) }
    if !plan.reports.isEmpty {
      let reports = try plan.recipe?.reports() ?? []
      let first = stepFiles.count - plan.reports.count - (plan.timing == nil ? 0 : 1)
      for (index, report) in plan.reports.enumerated() {
        try stepFiles[first + index].write(report.text(reports))
      }
    }
    for way in ways {
      switch way {
      case .sliced(let writer): try writer.finish()
      case .chunked(let output): try output.finish()
      }
    }
    for hash in (contentHashes + fileHashes).compactMap({ $0 }) {
      try stepFiles[hash.file].write(hash.sha.finish())
    }
    for file in stepFiles { try file.finish() }
    try outputSet.commit()
  }

  func abandon() { outputSet.abandon() }

  /// What went into each output and into its files.
  var totals: [(endpoint: Endpoint, bytes: UInt64, packedBytes: UInt64)] {
    zip(plan.outputs, ways).map { output, way in
      switch way {
      case .sliced(let writer): (output.endpoint, writer.info.bytes, writer.info.packedBytes)
      case .chunked(let chunked): (output.endpoint, chunked.bytes, chunked.packedBytes)
      }
    }
  }
}
