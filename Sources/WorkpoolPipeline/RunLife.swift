// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// How a run comes into being and goes.
extension PipelineRun {
  /// Allocates everything that the run will need, but for payloads. Nothing has been called yet.
  static func create(
    stages plan: [Stage?], hasSource: Bool, options: Pipeline.Options, limit: Int, pool: Pool?,
    isSerialReference: Bool
  ) throws(WorkpoolError) -> UnsafeMutablePointer<PipelineRun> {
    let deliversUnordered = options.deliversUnordered && !isSerialReference
    let shownStageCount = plan.count
    let plan = deliversUnordered ? unordered(plan) : plan
    let arena = Arena()
    let workerCount = isSerialReference ? 1 : pool?.workerCount ?? 1
    let limit = isSerialReference ? 1 : limit
    let capacity = isSerialReference ? 1 : options.windowRows
    let count = plan.count
    var seeAllMask: UInt64 = 0
    for (index, stage) in plan.enumerated() where stage?.seesAll == true {
      seeAllMask |= 1 << UInt64(index)
    }

    let address = try arena.allocate(PipelineRun.self, count: 1)
    let workSource = try arena.allocate(WorkSource.self, count: 1)
    let group = try arena.allocate(WorkGroup.self, count: 1)
    let stages = try arena.allocate(StageState.self, count: count)
    var turnIndices: [Int] = []
    var places: [StagePlaces?] = []
    var turnCount = 0
    for index in 0..<count {
      let isSerial = index > 0 && (index == count - 1 || plan[index]?.kind == .serial)
      turnIndices.append(isSerial ? turnCount : -1)
      if isSerial { turnCount += 1 }
      let limit = index > 0 && index < count - 1 ? plan[index]?.concurrencyLimit ?? 0 : 0
      places.append(
        limit > 0 ? try StagePlaces(limit: limit, capacity: capacity, in: arena) : nil)
    }
    let seats = try arena.allocate(SeatState.self, count: workerCount)
    let seatStages = try arena.allocate(SeatStage.self, count: workerCount * count)
    let records = try arena.allocate(Record.self, count: capacity)
    let errorTexts = try arena.allocate(UInt8.self, count: capacity * errorTextSize)
    let cuts = try arena.allocate(Atomic<Int64>.self, count: count)
    let flow = try arena.allocate(Flow.self, count: 1)
    let source = try arena.allocate(SourceState.self, count: 1)
    let tail = try arena.allocate(TailState.self, count: 1)
    let pace = try arena.allocate(Pace.self, count: 1)
    let host = try arena.allocate(HostState.self, count: 1)
    let events = try arena.allocate(EventState.self, count: 1)
    let claims = try arena.allocate(UInt64.self, count: hasSource ? 1 : capacity)
    let results = try arena.allocate(HostBlock.self, count: options.pullsResults ? capacity : 1)
    let turns = try TurnCells(capacity: capacity, serialStages: turnCount, in: arena)
    let ready = try RecordSet(capacity: capacity, in: arena)
    let words = options.token?.words ?? []
    let hostWords = try arena.allocate(
      UnsafeMutablePointer<Atomic<UInt32>>.self, count: words.count)
    for (index, word) in words.enumerated() { (hostWords + index).initialize(to: word) }
    // A payload and a spare for each block, and what submitters hold before they have a place.
    let buffers = try BufferPool(count: 2 * capacity + 64, in: arena)
    let monitor = try Monitor()
    let token: Token
    do throws(WorkpoolError) {
      token = try Token(parent: options.token)
    } catch {
      monitor.destroy()
      throw error
    }

    for index in 0..<count {
      let stage = plan[index]
      (cuts + index).initialize(to: Atomic(StopPolicy.never))
      (stages + index).initialize(
        to: StageState(
          function: stage?.function, context: stage?.context,
          isFree: turnIndices[index] < 0 && places[index] == nil,
          isSerial: turnIndices[index] >= 0,
          hasPlaces: places[index] != nil, hasScratch: stage?.workerStart != nil,
          turnIndex: turnIndices[index], places: places[index], stage: stage,
          cost: Atomic(Pace.unknownCost)))
    }
    for index in 0..<capacity { (records + index).initialize(to: Record(run: address)) }
    for seat in 0..<workerCount {
      (seats + seat).initialize(to: SeatState())
      for stage in 0..<count {
        let call = StageCall(
          worker: UInt32(seat), stage: UInt32(stage),
          token: UnsafeRawPointer(Unmanaged.passUnretained(token).toOpaque()))
        (seatStages + seat * count + stage).initialize(to: SeatStage(call: call))
      }
    }
    flow.initialize(to: Flow(limit: limit, maxBytes: options.maxBytesInFlight))
    source.initialize(to: SourceState())
    tail.initialize(
      to: TailState(
        policy: StopPolicy(
          stageCount: count, seeAllMask: seeAllMask, isCollecting: options.collectsErrors,
          maxFailures: options.maxFailures)))
    pace.initialize(to: Pace())
    if workerCount == 1 {
      pace.pointee.isSpread.store(false, ordering: .relaxed)
      pace.pointee.batch.store(1, ordering: .relaxed)
    }
    host.initialize(to: HostState())
    events.initialize(to: EventState())
    claims.initialize(repeating: 0, count: hasSource ? 1 : capacity)
    host.pointee.claims = claims
    if options.pullsResults {
      for index in 0..<capacity {
        (results + index).initialize(to: HostBlock(run: address))
        results[index].next = host.pointee.freeResults
        host.pointee.freeResults = results + index
      }
    }
    group.initialize(to: WorkGroup())
    workSource.initialize(
      to: WorkSource(
        context: address, group: group,
        work: { context, seat, isSearching in
          let outer = wpl_thread_run()
          wpl_set_thread_run(context)
          let run = context.assumingMemoryBound(to: PipelineRun.self)
          let result = run.pointee.work(seat: Int(seat), isSearching: isSearching)
          wpl_set_thread_run(outer)
          return result
        },
        hasWork: { $0.assumingMemoryBound(to: PipelineRun.self).pointee.hasWork },
        needsSentinel: { $0.assumingMemoryBound(to: PipelineRun.self).pointee.needsSentinel },
        isStuck: { $0.assumingMemoryBound(to: PipelineRun.self).pointee.noticeStuck() }))
    address.initialize(
      to: PipelineRun(
        address: address, workSource: workSource, group: group, arena: arena, pool: PoolLink(pool),
        workerCount: workerCount, stageCount: count, shownStageCount: shownStageCount,
        stages: stages, seats: seats,
        seatStages: seatStages, records: records, errorTexts: errorTexts,
        mask: UInt64(capacity - 1), turns: turns, buffers: buffers, ready: ready,
        cuts: cuts, seeAllMask: seeAllMask, options: options, hasSource: hasSource,
        deliversUnordered: deliversUnordered,
        mayBlock: plan.contains { $0?.mayBlock == true },
        sourceMayBlock: plan.first??.mayBlock == true, token: token,
        hostWords: hostWords, hostWordCount: words.count, startTime: Clock.now, flow: flow,
        source: source,
        tail: tail, pace: pace, host: host, events: events, monitor: monitor))
    token.observe(address) { context in
      context.assumingMemoryBound(to: PipelineRun.self).pointee.cancel()
    }
    return address
  }

  /// The sink may be called in any order; behind it blocks retire in an empty stage.
  private static func unordered(_ plan: [Stage?]) -> [Stage?] {
    guard var sink = plan[plan.count - 1] else { return plan }
    sink.kind = .serialAnyOrder
    return plan.dropLast() + [sink, nil]
  }

  /// Gives the run to the workers.
  func start() {
    if hasSource {
      flow.pointee.baton.store(Baton.free, ordering: .sequentiallyConsistent)
    } else {
      flow.pointee.baton.store(Baton.ended, ordering: .sequentiallyConsistent)
    }
    pool.attach(workSource)
    flow.pointee.credits.give(0)
    pool.workAppeared()
  }

  /// Frees a run that has ended (or never started) and that no worker is inside of.
  static func destroy(_ address: UnsafeMutablePointer<PipelineRun>) {
    let arena = address.pointee.arena
    address.pointee.token.forget(address)
    address.pointee.discardResults(.cancelled)
    address.pointee.buffers.destroy()
    address.pointee.monitor.destroy()
    address.pointee.tail.deinitialize(count: 1)
    address.pointee.stages.deinitialize(count: address.pointee.stageCount)
    address.deinitialize(count: 1)
    withExtendedLifetime(arena) {}
  }
}
