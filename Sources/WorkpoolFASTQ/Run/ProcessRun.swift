// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// Runs a plan: reads blocks, carries them through the steps, and writes what is left of them.
///
/// The pipeline: a source that reads, unpacks and cuts (with a pool each input is unpacked by a pipeline of
/// its own, ahead of it); parallel stages that parse, work and encode,
/// and serial ones for the steps that must see reads in order; then a serial stage that gathers the
/// exact slices of each output, a parallel one that packs them, and the sink that writes. Outputs
/// appear when all is done, or not at all.
///
/// Serves one run. `start`, `wait` and `finish` are for one thread; `cancel` and `progress` for any.
public final class ProcessRun: @unchecked Sendable {
  /// Inputs are unpacked ahead from then on.
  private let opened = Clock.now
  private let plan: ProcessPlan
  private let pipeline: Pipeline
  private let outputs: RunOutputs
  private let source: ProcessSource
  private let blocks: ProcessBlockPool
  private let work: BlockWork
  private let failures: RunFailures
  /// Where the plan asks for times.
  private let times: PartsOfRun?
  private var hasStarted = false
  private var hasFinished = false

  // Of the sink.
  private var report = ProcessReport()
  private var counters: [StepCounters]

  private let reads = Atomic<UInt64>(0)
  private let bases = Atomic<UInt64>(0)
  private let blocksDone = Atomic<UInt64>(0)
  private let decodedBytes = Atomic<UInt64>(0)

  /// Judges the plan, opens the inputs and creates the temporary outputs.
  ///
  /// - Parameter pool: may be nil for the serial reference.
  /// - Throws: `invalidArgument` for a plan that cannot be, `outputExists`, `ioFailed`, `noMemory`;
  ///   nothing is left behind then.
  public init(_ plan: ProcessPlan, on pool: Pool?) throws(WorkpoolError) {
    try plan.check()
    self.plan = plan
    times = plan.timing == nil ? nil : PartsOfRun(plan.recipe)
    counters = Array(repeating: StepCounters(), count: plan.recipe?.steps.count ?? 0)
    source = try ProcessSource(plan, on: pool)
    try plan.recipe?.prepare()

    let streams = plan.inputs.count
    blocks = try ProcessBlockPool { () throws(WorkpoolError) in
      let batch: FASTQBatch
      if let recipe = plan.recipe {
        batch = try recipe.makeBatch()
      } else {
        batch = try FASTQBatch(segments: 1)
      }
      return ProcessBlock(batch: batch, streams: streams, outputs: plan.outputs.count)
    }
    work = BlockWork(
      plan: plan, blocks: blocks, facts: InputSizes(plan.inputs, source.readers))
    outputs = try RunOutputs(plan)
    failures = try RunFailures()
    pipeline = try Pipeline(on: pool, plan.pipeline)
    do throws(WorkpoolError) {
      try outputs.open(workers: plan.pipeline.isSerialReference ? 1 : pool?.seatCount ?? 1)
      try build()
    } catch {
      try pipeline.destroy()
      throw error
    }
  }

  deinit {
    try? pipeline.destroy()  // `finish` was not called: nothing of the run counts
  }

  // MARK: Running

  /// Begins; with the serial reference, runs to the end on this thread.
  public func start() throws(WorkpoolError) {
    guard !hasStarted else { throw WorkpoolError(.invalidState, "a run starts once") }
    hasStarted = true
    plan.recipe?.begin(plan.discardsOutputs ? [] : outputs.stepFiles)
    do throws(WorkpoolError) {
      if plan.pipeline.isSerialReference { _ = try pipeline.run() } else { try pipeline.start() }
    } catch {
      if error.status != .cancelled { throw error }
      hasFinished = true  // cancelled before anything was called
      report.status = .cancelled
    }
  }

  /// - Returns: whether the run has ended within `timeout` nanoseconds (negative: for ever).
  public func wait(timeout: Int64 = -1) throws(WorkpoolError) -> Bool {
    if hasFinished { return true }
    let status =
      plan.pipeline.isSerialReference
      ? try pipeline.result().status : try pipeline.wait(timeout: timeout)
    return status != .timedOut
  }

  /// Ends the run; returns at once.
  public func cancel() { try? pipeline.cancel() }  // not started: `start` will do nothing

  /// Where the outputs are until they get their names, for a program that must leave while the
  /// run hangs in the operating system. Any thread, any time.
  public var temporaryFiles: [String] { outputs.temporaryFiles }

  public var progress: ProcessProgress {
    var progress = ProcessProgress()
    progress.reads = reads.load(ordering: .relaxed)
    progress.bases = bases.load(ordering: .relaxed)
    progress.blocks = blocksDone.load(ordering: .relaxed)
    progress.decodedBytes = decodedBytes.load(ordering: .relaxed)
    progress.packedBytesRead = source.packedBytes.load(ordering: .relaxed)
    progress.packedBytesTotal = source.packedSize
    return progress
  }

  /// After the end: completes the outputs, or removes them, and tells what happened.
  ///
  /// - Parameter look: is shown the pipeline, if it was started, before that goes.
  public func finish(_ look: (Pipeline) -> Void = { _ in }) -> ProcessReport {
    let outcome = hasFinished ? nil : try? pipeline.result()  // nil: nothing was run
    if let outcome {
      report.status = outcome.status
      if outcome.status.isError { report.error = error(of: outcome) }
      report.pipeline = (try? pipeline.statistics()) ?? PipelineStatistics()
      for stage in 0..<pipeline.stageCount {
        if let statistics = try? pipeline.statistics(ofStage: stage) {
          report.stages.append(statistics)
        }
      }
      look(pipeline)
    }
    hasFinished = true
    source.close()
    if outcome != nil && !report.status.isError {
      do throws(WorkpoolError) {
        try releaseHeldReads()
        try outputs.finish(timing: timing)
      } catch {
        report.status = error.status
        report.error = error
      }
    }
    if report.status.isError { outputs.abandon() }
    report.wallNanoseconds = report.pipeline.wallNanoseconds
    for (reader, endpoints) in zip(source.readers, plan.inputs) {
      for (info, endpoint) in zip(reader.infos, endpoints) {
        report.inputs.append((endpoint, info))
      }
      report.notes += reader.notes
    }
    for (index, step) in (plan.recipe?.steps ?? []).enumerated() {
      report.steps.append((step.name, step.number, counters[index]))
    }
    report.outputs = outputs.totals
    report.parts = times?.totals ?? []
    do throws(WorkpoolError) { try pipeline.destroy() } catch { report.error = error }
    report.workers = workers
    return report
  }

  private var workers: [WorkerStatistics] {
    guard !plan.pipeline.isSerialReference, let pool = pipeline.pool else { return [] }
    // There are such workers.
    return (0..<pool.workerCount).compactMap { try? pool.statistics(ofWorker: $0) }
  }

  private var timing: String {
    guard let times else { return "" }
    return TimingFile(
      parts: times.totals, wallNanoseconds: UInt64(clamping: Clock.now - opened), workers: workers
    ).text
  }

  /// What steps have kept back goes through the steps behind them, on this thread.
  private func releaseHeldReads() throws(WorkpoolError) {
    guard let recipe = plan.recipe else { return }
    for (index, step) in recipe.steps.enumerated() where step.holdsReads {
      let block = try blocks.take()
      defer { blocks.give(block) }
      try step.release(into: block.batch)
      counters[index].readsOut += block.batch.keptCount
      counters[index].basesOut += block.batch.keptBases
      for stage in recipe.stages where stage.firstStep > index { _ = try stage.run(block.batch) }
      try recipe.mergeAtEnd(block.batch, from: index + 1)
      for index in counters.indices { counters[index].add(block.batch.counters.start[index]) }
      report.readsOut += UInt64(block.batch.keptCount)
      try work.encode(block)
      report.basesOut += UInt64(block.basesOut)
      try outputs.gather(block, blocks)
      try outputs.pack(block, worker: 0, blocks)
      try outputs.write(block)
    }
  }

  private func error(of outcome: PipelineOutcome) -> WorkpoolError? {
    if outcome.status == .cancelled { return WorkpoolError(.cancelled, "cancelled") }
    return failures.error(of: outcome.number, stage: outcome.stage)
      ?? WorkpoolError(Status(rawValue: outcome.code), "the run failed")
  }

  // MARK: The pipeline

  private typealias Work = (ProcessBlock, StageContext) throws(WorkpoolError) -> StepOutcome

  private func build() throws(WorkpoolError) {
    try pipeline.setSource("read") { [unowned(unsafe) self] block, context throws(WorkpoolError) in
      try failures.keeping(block, 0) { () throws(WorkpoolError) in
        guard let times else {
          return try source.read(block, context, blocks) ? .goOn : .endOfInput
        }
        let isThere = try times.read.measure((0, 0)) { () throws(WorkpoolError) in
          try source.read(block, context, blocks)
        }
        guard isThere else { return .endOfInput }
        let read = ProcessBlock.of(block)
        times.read.add(reads: read.extents[0]?.records ?? 0, bytes: read.decodedBytes)
        return .goOn
      }
    }
    // Parsing goes with the first parallel steps, encoding with the last ones.
    var works: [(name: String, kind: StageKind, seesAll: Bool, mayBlock: Bool, work: Work)] = []
    if work.parses {
      works.append(
        (
          "parse", .parallel, false, false,
          { [unowned(unsafe) self] block, context throws(WorkpoolError) in
            try measured(times?.parse, block) { () throws(WorkpoolError) in try work.parse(block) }
            return .go
          }
        ))
    }
    for stage in plan.recipe?.stages ?? [] {
      works.append(
        (
          stage.name, stage.kind == .parallel ? .parallel : .serial, stage.seesAll, false,
          { [unowned(unsafe) self] block, _ throws(WorkpoolError) in
            try stage.run(block.batch, times)
          }
        ))
    }
    works.append(
      (
        "encode", .parallel, false, false,
        { [unowned(unsafe) self] block, _ throws(WorkpoolError) in
          try measured(times?.encode, block) { () throws(WorkpoolError) in try work.encode(block) }
          return .go
        }
      ))
    for command in plan.commands {
      works.append(
        (
          command.text, .parallel, false, true,
          { [unowned(unsafe) self] block, context throws(WorkpoolError) in
            try measured(times?.command, block) { () throws(WorkpoolError) in
              try work.run(command, block, context)
            }
            return .go
          }
        ))
    }
    if outputs.isPacked {
      works.append(
        (
          "gather", .serial, false, false,
          { [unowned(unsafe) self] block, _ throws(WorkpoolError) in
            try measured(times?.gather, block) { () throws(WorkpoolError) in
              try outputs.gather(block, blocks)
            }
            return .go
          }
        ))
      works.append(
        (
          "pack", .parallel, false, false,
          { [unowned(unsafe) self] block, context throws(WorkpoolError) in
            try measured(times?.pack, block) { () throws(WorkpoolError) in
              try outputs.pack(block, worker: context.worker, blocks)
            }
            return .go
          }
        ))
    }
    var first = 0
    while first < works.count {
      var end = first + 1
      while end < works.count, works[first].kind == .parallel, works[end].kind == .parallel,
        !works[end].seesAll, !works[first].seesAll, !works[end].mayBlock, !works[first].mayBlock
      {
        end += 1
      }
      try add(Array(works[first..<end]))
      first = end
    }
    try pipeline.setSink("write") { [unowned(unsafe) self] block, context throws(WorkpoolError) in
      try failures.keeping(block, context.stage) { () throws(WorkpoolError) in
        let carried = ProcessBlock.of(block)
        try measured(times?.write, carried) { () throws(WorkpoolError) in try write(carried) }
        return .goOn
      }
    }
  }

  private func add(
    _ works: [(name: String, kind: StageKind, seesAll: Bool, mayBlock: Bool, work: Work)]
  ) throws(WorkpoolError) {
    var name = ""
    for part in works { name += (name.isEmpty ? "" : "+") + part.name }
    let acts = works.map { $0.work }
    var stage = Stage(name, works[0].kind) {
      [unowned(unsafe) self] block, context throws(WorkpoolError) in
      try failures.keeping(block, context.stage) { () throws(WorkpoolError) in
        var answer = StageAnswer.goOn
        let carried = ProcessBlock.of(block)
        for act in acts {
          if try act(carried, context) == .stop { answer = .stop }
        }
        return answer
      }
    }
    stage.seesAll = works[0].seesAll
    stage.mayBlock = works[0].mayBlock
    do throws(WorkpoolError) {
      try pipeline.addStage(stage)
    } catch {
      stage.destroyContext?(stage.context)
      throw error
    }
  }

  /// Adds what `body` takes to the times of a part, if times are wanted.
  private func measured<Result>(
    _ part: PartTimes?, _ block: ProcessBlock,
    _ body: () throws(WorkpoolError) -> Result
  ) throws(WorkpoolError) -> Result {
    guard let part else { return try body() }
    // Before they are parsed the reads are counted by their text alone.
    let reads = block.batch.count > 0 ? block.batch.count : block.extents[0]?.records ?? 0
    return try part.measure((reads, block.decodedBytes), body)
  }

  private func write(_ block: ProcessBlock) throws(WorkpoolError) {
    try outputs.write(block)
    try plan.recipe?.mergeAtEnd(block.batch)
    for index in counters.indices { counters[index].add(block.batch.counters.start[index]) }
    if work.parses {
      report.readsIn += UInt64(block.batch.count)
      report.readsOut += UInt64(block.batch.keptCount)
    } else if let extent = block.extents[0] {
      report.readsIn += UInt64(extent.records)
      report.readsOut += UInt64(extent.records)
    }
    report.basesIn += UInt64(block.basesIn)
    report.basesOut += UInt64(block.basesOut)
    reads.store(report.readsIn, ordering: .relaxed)
    bases.store(report.basesIn, ordering: .relaxed)
    blocksDone.wrappingAdd(1, ordering: .relaxed)
    decodedBytes.wrappingAdd(UInt64(block.decodedBytes), ordering: .relaxed)
  }
}
