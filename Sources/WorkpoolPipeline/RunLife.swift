// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// How a run comes into being and goes.
extension PipelineRun {
  /// Allocates everything that the run will need, but for payloads. Nothing has been called yet.
  /// - Returns: its first segment.
  static func create(
    stages plan: [Stage?], hasSource: Bool, options: Pipeline.Options, limit: Int, pool: Pool?,
    isSerialReference: Bool
  ) throws(WorkpoolError) -> UnsafeMutablePointer<PipelineRun> {
    var shape = Shape(plan, hasSource: hasSource, options)
    var last: UnsafeMutablePointer<PipelineRun>?
    do throws(WorkpoolError) {
      while !shape.isComplete {
        let segment = try createSegment(
          shape, behind: last, limit: limit, pool: pool, isSerialReference: isSerialReference)
        last?.pointee.next = segment
        last = segment
        shape.goOn()
      }
    } catch {
      if let last { destroy(last.pointee.first) }
      throw error
    }
    guard let last else { throw WorkpoolError(.invalidState, "a pipeline without stages") }
    return last.pointee.first
  }

  /// How a pipeline is divided into segments, and the one that is next.
  private struct Shape {
    let plan: [Stage?]
    let hasSource: Bool
    let options: Pipeline.Options
    var seeAllMask: UInt64 = 0
    /// The first stages of the segments up to this one.
    var starts = [0]
    /// The stage behind this segment's own: the splitter of the next one, or the end.
    private(set) var end = 0

    init(_ plan: [Stage?], hasSource: Bool, _ options: Pipeline.Options) {
      self.plan = plan
      self.hasSource = hasSource
      self.options = options
      for (index, stage) in plan.enumerated() where stage?.seesAll == true {
        seeAllMask |= 1 << UInt64(index)
      }
      findEnd()
    }

    var base: Int { starts[starts.count - 1] }
    var isComplete: Bool { base == plan.count }
    var isLast: Bool { end == plan.count }
    /// The stages of this segment; before a splitter the last one is empty.
    var stages: [Stage?] { Array(plan[base..<end]) + (isLast ? [] : [nil]) }
    /// What may hold a worker up in this segment.
    var mayBlock: Bool {
      let first = base == 0 ? 0 : base + 1
      return plan[first..<min(end + 1, plan.count)].contains { $0?.mayBlock == true }
    }

    mutating func goOn() {
      starts.append(end)
      findEnd()
    }

    private mutating func findEnd() {
      end = base + 1
      while end < plan.count && plan[end]?.kind != .splitter { end += 1 }
      end = min(end, plan.count)
    }
  }

  private static func createSegment(
    _ shape: Shape, behind previous: UnsafeMutablePointer<PipelineRun>?, limit: Int, pool: Pool?,
    isSerialReference: Bool
  ) throws(WorkpoolError) -> UnsafeMutablePointer<PipelineRun> {
    let arena = Arena()
    let deliversUnordered =
      shape.isLast && shape.options.deliversUnordered && !isSerialReference
    let shownStageCount = shape.stages.count
    let plan = deliversUnordered ? unordered(shape.stages) : shape.stages
    let depth = shape.starts.count - 1
    let hasSource = depth > 0 || shape.hasSource
    var options = shape.options
    if !shape.isLast { options.pullsResults = false }
    let workerCount = isSerialReference ? 1 : pool?.seatCount ?? 1
    let limit = isSerialReference ? 1 : limit
    let capacity = isSerialReference ? 1 : options.windowRows
    let count = plan.count

    let address = try arena.allocate(PipelineRun.self, count: 1)
    let workSource = try arena.allocate(WorkSource.self, count: 1)
    let newGroup = try arena.allocate(WorkGroup.self, count: 1)
    let group = previous?.pointee.group ?? newGroup
    let stages = try arena.allocate(StageState.self, count: count)
    var turnIndices: [Int] = []
    var places: [StagePlaces?] = []
    var gatherings: [UnsafeMutablePointer<Gathering>?] = []
    var largestBatch = 0
    var turnCount = 0
    for index in 0..<count {
      let isSerial = index > 0 && (index == count - 1 || plan[index]?.kind == .serial)
      let batch = plan[index]?.maxBatch ?? 0
      if batch > 0 && !isSerialReference {
        let gathering = try arena.allocate(Gathering.self, count: 1)
        gathering.initialize(to: Gathering(capacity: batch))
        gatherings.append(gathering)
        largestBatch = max(largestBatch, batch)
      } else {
        gatherings.append(nil)
      }
      turnIndices.append(isSerial ? turnCount : -1)
      if isSerial { turnCount += 1 }
      let limit = index > 0 && index < count - 1 ? plan[index]?.concurrencyLimit ?? 0 : 0
      places.append(
        limit > 0 ? try StagePlaces(limit: limit, capacity: capacity, in: arena) : nil)
    }
    let seats = try arena.allocate(SeatState.self, count: workerCount)
    let seatStages = try arena.allocate(SeatStage.self, count: workerCount * count)
    let takesTimes = options.statistics != .off
    let histograms = try arena.allocateZeroed(
      Atomic<UInt64>.self, count: takesTimes ? workerCount * count * CallHistogram.classCount : 1)
    let timelineEvents = options.timelineEvents
    let timelines = try arena.allocateZeroed(
      Atomic<UInt64>.self,
      count: timelineEvents > 0 ? workerCount * TimelineRing.size(timelineEvents) : 1)
    let link = PoolLink(isSerialReference ? nil : pool)
    let meters = try arena.allocate(UnsafeMutablePointer<WorkerMeter>.self, count: workerCount)
    let ownMeter = try arena.allocate(WorkerMeter.self, count: 1)
    ownMeter.initialize(to: WorkerMeter())
    for seat in 0..<workerCount {
      // Without a pool nobody asks.
      (meters + seat).initialize(to: link.meter(ofWorker: seat) ?? ownMeter)
    }
    let waits = try arena.allocate(StageWaits.self, count: count)
    let times = try arena.allocate(RunTimes.self, count: 1)
    let records = try arena.allocate(Record.self, count: capacity)
    let paths = try arena.allocate(UInt64.self, count: (capacity + 1) * depth)
    paths.initialize(repeating: 0, count: (capacity + 1) * depth)
    let errorTexts = try arena.allocate(UInt8.self, count: capacity * errorTextSize)
    let cuts = try arena.allocate(Atomic<Int64>.self, count: count)
    let flow = try arena.allocate(Flow.self, count: 1)
    let source = try arena.allocate(SourceState.self, count: 1)
    let tail = try arena.allocate(TailState.self, count: 1)
    let pace = try arena.allocate(Pace.self, count: 1)
    let host = try arena.allocate(HostState.self, count: 1)
    let events = try arena.allocate(EventState.self, count: 1)
    let looks = try arena.allocate(SeatLook.self, count: workerCount)
    let claims = try arena.allocate(UInt64.self, count: hasSource ? 1 : capacity)
    let results = try arena.allocate(HostBlock.self, count: options.pullsResults ? capacity : 1)
    let turns = try TurnCells(
      capacity: capacity, serialStages: turnCount,
      withoutTurn: (0..<count).filter { gatherings[$0] != nil }.map { turnIndices[$0] }, in: arena)
    let batches = try arena.allocate(
      UnsafeMutablePointer<Record>.self, count: workerCount * largestBatch)
    let batchSizes = try arena.allocate(Int.self, count: workerCount * largestBatch)
    var callRooms:
      [(
        blocks: UnsafeMutablePointer<UnsafeMutablePointer<Block>>,
        answers: UnsafeMutablePointer<Int32>
      )?] = []
    for stage in plan {
      let room = workerCount * (stage?.maxBatch ?? 0)
      callRooms.append(
        room == 0
          ? nil
          : (
            try arena.allocate(UnsafeMutablePointer<Block>.self, count: room),
            try arena.allocate(Int32.self, count: room)
          ))
    }
    let ready = try RecordSet(capacity: capacity, in: arena)
    let words = options.token?.words ?? []
    let hostWords = try arena.allocate(
      UnsafeMutablePointer<Atomic<UInt32>>.self, count: words.count)
    for (index, word) in words.enumerated() { (hostWords + index).initialize(to: word) }
    // A payload and a spare for each block, and what submitters hold before they have a place.
    let buffers = try BufferPool(count: 2 * capacity + 64, in: arena)
    let pool = PoolLink(pool, group: group)
    let monitor: RunMonitor
    let token: Token
    if let previous {
      monitor = previous.pointee.monitor
      token = previous.pointee.token
    } else {
      monitor = RunMonitor(try Monitor(), group: group, pool: pool)
      do throws(WorkpoolError) {
        token = try Token(parent: options.token)
      } catch {
        monitor.destroy()
        throw error
      }
    }

    let goesOnward =
      !shape.mayBlock && shape.isLast && depth == 0 && !deliversUnordered
      && largestBatch == 0 && places.allSatisfy { $0 == nil }
    for index in 0..<count {
      let stage = plan[index]
      (cuts + index).initialize(to: Atomic(StopPolicy.never))
      (stages + index).initialize(
        to: StageState(
          function: stage?.function, context: stage?.context,
          isFree: turnIndices[index] < 0 && places[index] == nil,
          isSerial: turnIndices[index] >= 0 && gatherings[index] == nil,
          hasPlaces: places[index] != nil, hasScratch: stage?.workerStart != nil,
          mayBlock: stage?.mayBlock == true && !isSerialReference, turnIndex: turnIndices[index],
          places: places[index], gathering: gatherings[index], stage: stage,
          cost: Atomic(Pace.unknownCost)))
    }
    for index in 0..<capacity { (records + index).initialize(to: Record(run: address)) }
    for seat in 0..<workerCount {
      (seats + seat).initialize(
        to: SeatState(
          batch: batches + seat * largestBatch, batchSizes: batchSizes + seat * largestBatch))
      for stage in 0..<count {
        let index = seat * count + stage
        var call = StageCall(
          worker: UInt32(seat), stage: UInt32(shape.base + stage),
          token: UnsafeRawPointer(Unmanaged.passUnretained(token).toOpaque()))
        if let batch = plan[stage]?.maxBatch, let room = callRooms[stage] {
          call.blocks = room.blocks + seat * batch
          call.answers = room.answers + seat * batch
        }
        (seatStages + index).initialize(
          to: SeatStage(
            call: call, function: plan[stage]?.function, context: plan[stage]?.context,
            counts: StageCounts(
              histogram: CallHistogram(
                histograms + (takesTimes ? index * CallHistogram.classCount : 0)))))
      }
    }
    for stage in 0..<count { (waits + stage).initialize(to: StageWaits()) }
    times.initialize(to: RunTimes())
    flow.initialize(to: Flow(limit: limit, maxBytes: options.maxBytesInFlight))
    source.initialize(to: SourceState())
    tail.initialize(
      to: TailState(
        policy: StopPolicy(
          stageCount: shape.base + count, seeAllMask: shape.seeAllMask,
          isCollecting: options.collectsErrors,
          maxFailures: options.maxFailures, segmentStarts: shape.starts,
          isLast: shape.isLast)))
    pace.initialize(to: Pace())
    let mostAtOnce = pool.workerCount + (shape.mayBlock ? pool.extraCount : 0)
    if isSerialReference || mostAtOnce == 1 {
      pace.pointee.isSpread.store(false, ordering: .relaxed)
      pace.pointee.batch.store(1, ordering: .relaxed)
    }
    if let batch = options.fixedBatch { pace.pointee.batch.store(batch, ordering: .relaxed) }
    host.initialize(to: HostState())
    for seat in 0..<workerCount { (looks + seat).initialize(to: SeatLook()) }
    events.initialize(to: EventState(looks: looks, patience: options.stuckAfterNanoseconds))
    claims.initialize(repeating: 0, count: hasSource ? 1 : capacity)
    host.pointee.claims = claims
    if options.pullsResults {
      for index in 0..<capacity {
        (results + index).initialize(to: HostBlock(run: address))
        results[index].next = host.pointee.freeResults
        host.pointee.freeResults = results + index
      }
    }
    if previous == nil { group.initialize(to: WorkGroup()) }
    workSource.initialize(
      to: WorkSource(
        context: address, group: group,
        work: { context, seat, isSearching in
          let run = context.assumingMemoryBound(to: PipelineRun.self)
          let result = run.pointee.work(seat: Int(seat), isSearching: isSearching)
          run.pointee.settleTimes(Int(seat))
          return result
        },
        hasWork: { $0.assumingMemoryBound(to: PipelineRun.self).pointee.hasWork },
        needsSentinel: { $0.assumingMemoryBound(to: PipelineRun.self).pointee.needsSentinel },
        isStuck: { $0.assumingMemoryBound(to: PipelineRun.self).pointee.noticeStuck() },
        help: { context, seat, terms in
          let run = context.assumingMemoryBound(to: PipelineRun.self)
          _ = run.pointee.work(
            seat: Int(seat), isSearching: false,
            terms: terms.assumingMemoryBound(to: HelpLimits.self))
        },
        suspend: {
          $0.assumingMemoryBound(to: PipelineRun.self).pointee.suspend(seat: Int($1))
        },
        resume: { context, _ in
          context.assumingMemoryBound(to: PipelineRun.self).pointee.resume()
        },
        dump: { $0.assumingMemoryBound(to: PipelineRun.self).pointee.dump() }))
    address.initialize(
      to: PipelineRun(
        address: address, workSource: workSource, group: group, arena: arena, pool: pool,
        workerCount: workerCount, stageCount: count, stageBase: shape.base, previous: previous,
        next: nil, first: previous?.pointee.first ?? address, depth: depth, paths: paths,
        shownStageCount: shownStageCount,
        stages: stages, seats: seats,
        seatStages: seatStages, records: records, errorTexts: errorTexts,
        mask: UInt64(capacity - 1), turns: turns, buffers: buffers, ready: ready,
        cuts: cuts, seeAllMask: shape.seeAllMask, options: options, hasSource: hasSource,
        deliversUnordered: deliversUnordered,
        mayBlock: shape.mayBlock, sourceMayBlock: plan.first??.mayBlock == true,
        keepsTurns: !shape.mayBlock && shape.isLast, gathers: largestBatch > 0,
        allTurns: goesOnward ? Int32(turnCount) : -1, token: token,
        hostWords: hostWords, hostWordCount: words.count, startTime: Clock.now, flow: flow,
        source: source,
        tail: tail, pace: pace, times: times, waits: waits, takesTimes: takesTimes,
        timesEveryCall: options.statistics == .times || timelineEvents > 0,
        timelineEvents: timelineEvents, timelines: timelines,
        runNumber: timelineEvents > 0 ? link.nextRun() : 0, meters: meters,
        emptyMargin: takesTimes && previous == nil ? hasSource ? 1 : 0 : -1 << 62,
        countsDelivery: plan[count - 1] == nil && !options.pullsResults,
        host: host, events: events, monitor: monitor))
    if previous == nil {
      token.observe(address) { context in
        context.assumingMemoryBound(to: PipelineRun.self).pointee.cancel()
      }
    }
    return address
  }

  /// The sink may be called in any order; behind it blocks retire in an empty stage.
  private static func unordered(_ plan: [Stage?]) -> [Stage?] {
    guard var sink = plan[plan.count - 1] else { return plan }
    sink.kind = .serialAnyOrder
    return plan.dropLast() + [sink, nil]
  }

  /// Gives the run to the workers; the first segment.
  func start() {
    // The last one first: what comes to it must wake workers.
    if let next { next.pointee.start() }
    if depth > 0 {
      flow.pointee.baton.store(Baton.held, ordering: .sequentiallyConsistent)
    } else if hasSource {
      flow.pointee.baton.store(Baton.free, ordering: .sequentiallyConsistent)
    } else {
      flow.pointee.baton.store(Baton.ended, ordering: .sequentiallyConsistent)
    }
    beginTimes()
    pool.attach(workSource)
    flow.pointee.credits.give(0)
    pool.workAppeared()
  }

  /// Frees a run that has ended (or never started) and that no worker is inside of: the first segment and
  /// all behind it.
  static func destroy(_ first: UnsafeMutablePointer<PipelineRun>) {
    let monitor = first.pointee.monitor
    first.pointee.token.forget(first)
    first.pointee.lastSegment.pointee.discardResults(.cancelled)
    var here: UnsafeMutablePointer<PipelineRun>? = first
    while let segment = here {
      here = segment.pointee.next
      destroySegment(segment)
    }
    monitor.destroy()
  }

  private static func destroySegment(_ address: UnsafeMutablePointer<PipelineRun>) {
    let arena = address.pointee.arena
    address.pointee.buffers.destroy()
    address.pointee.source.deinitialize(count: 1)
    address.pointee.tail.deinitialize(count: 1)
    address.pointee.stages.deinitialize(count: address.pointee.stageCount)
    address.deinitialize(count: 1)
    withExtendedLifetime(arena) {}
  }
}
