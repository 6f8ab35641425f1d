// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What a stage has done so far. Exact after the end of the run, but for times of calls that were not
/// all timed (`StatisticsLevel`).
public struct StageStatistics: Sendable {
  public var name = ""
  public var kind = StageKind.serial
  public var calls: UInt64 = 0
  /// Calls, and tombstones and cut blocks that passed.
  public var blocksIn: UInt64 = 0
  public var blocksOut: UInt64 = 0
  public var blocksDropped: UInt64 = 0
  public var blocksCut: UInt64 = 0
  public var blocksFailed: UInt64 = 0
  public var bytesIn: UInt64 = 0
  public var bytesOut: UInt64 = 0
  /// Time in the callback, of all workers; an estimate where calls are short.
  public var busyNanoseconds: UInt64 = 0
  /// Of that, what the workers' threads ran: the rest they waited for a disk, a lock or a CPU.
  public var cpuNanoseconds: UInt64 = 0
  public var timedCalls: UInt64 = 0
  public var minNanoseconds: UInt64 = 0
  public var maxNanoseconds: UInt64 = 0
  /// Half of the calls, and 99 of 100, took no longer; within 12.5 %.
  public var p50Nanoseconds: UInt64 = 0
  public var p99Nanoseconds: UInt64 = 0
  /// Waiting of blocks that came before their turn, until it was granted.
  public var orderWaitNanoseconds: UInt64 = 0
  /// Waiting of blocks that found a limited stage full, until they got a place.
  public var placeWaitNanoseconds: UInt64 = 0
  /// Blocks that had to wait for their turn or a place; how many do now, and the most that did at
  /// once: how deep the reordering was.
  public var parked: UInt64 = 0
  public var parkedNow: UInt64 = 0
  public var parkedMax: UInt64 = 0
  /// Most calls at once. Of a parallel stage without limit: that was seen, by looking round now and
  /// then.
  public var concurrencyMax: UInt64 = 0

  public init() {}
}

/// What a run has done so far.
public struct PipelineStatistics: Sendable {
  public var stages = 0
  /// Since the start, until the end.
  public var wallNanoseconds: UInt64 = 0
  public var blocksIn: UInt64 = 0
  public var blocksOut: UInt64 = 0
  public var bytesIn: UInt64 = 0
  /// Of delivered blocks, as they left the last stage.
  public var bytesOut: UInt64 = 0
  /// Blocks between source and cleanup; in all segments, if there are splitters.
  public var inFlight: UInt64 = 0
  /// The most at once; in one segment, if there are splitters.
  public var inFlightMax: UInt64 = 0
  /// Of each segment.
  public var limit: UInt64 = 0
  /// What the blocks in flight weigh.
  public var bytesInFlight: UInt64 = 0
  public var bytesInFlightMax: UInt64 = 0
  /// Time in which the source, or a submitter, waited because all places were taken.
  public var throttledNanoseconds: UInt64 = 0
  /// Time before the end of the input in which nothing was in flight but what the source worked on.
  /// Not counted where the source takes less than a microsecond.
  public var starvedNanoseconds: UInt64 = 0
  /// Waiting of submitters, and of readers of results, added up over threads.
  public var submitWaitNanoseconds: UInt64 = 0
  public var resultWaitNanoseconds: UInt64 = 0
  /// How often a worker took a block on from one stage to the next, and how often another one did, or
  /// itself later.
  public var carried: UInt64 = 0
  public var handedOver: UInt64 = 0
  /// Workers woken during the run, by everything on the pool.
  public var wakes: UInt64 = 0
  /// The stage with the most time for each call that may run at once: its `busyNanoseconds` over 1
  /// (serial), its limit, or the number of workers. nil while no time is known.
  public var bottleneckStage: Int?
  /// Events of the timeline that were overwritten.
  public var timelineEventsLost: UInt64 = 0

  public init() {}
}

extension PipelineRun {
  /// - Parameter stage: as this segment counts.
  func statistics(ofStage stage: Int) -> StageStatistics {
    var sum = counts(ofStage: stage)
    sum.name = stages[stage].stage?.name ?? "end"
    var histogram = [UInt64](repeating: 0, count: CallHistogram.classCount)
    var least = UInt64.max
    for seat in 0..<workerCount {
      let own = seatStage(seat, stage)
      sum.timedCalls &+= own.pointee.counts.timedCalls.load(ordering: .relaxed)
      let (busy, cpu) = own.pointee.counts.times
      sum.busyNanoseconds &+= busy
      sum.cpuNanoseconds &+= cpu
      least = min(least, own.pointee.counts.least.load(ordering: .relaxed))
      sum.maxNanoseconds = max(
        sum.maxNanoseconds, own.pointee.counts.most.load(ordering: .relaxed))
      sum.orderWaitNanoseconds &+= own.pointee.counts.orderWait.load(ordering: .relaxed)
      sum.placeWaitNanoseconds &+= own.pointee.counts.placeWait.load(ordering: .relaxed)
      sum.parked &+= own.pointee.counts.parked.load(ordering: .relaxed)
      if takesTimes { own.pointee.counts.histogram.add(to: &histogram) }
    }
    sum.minNanoseconds = least == .max ? 0 : least
    // The middle of a class may lie beyond all that is in it.
    let bounds = sum.minNanoseconds...max(sum.minNanoseconds, sum.maxNanoseconds)
    sum.p50Nanoseconds = CallHistogram.quantile(0.5, of: histogram).clamped(to: bounds)
    sum.p99Nanoseconds = CallHistogram.quantile(0.99, of: histogram).clamped(to: bounds)
    (sum.parkedNow, sum.parkedMax) = waits[stage].depths(capacity: capacity)
    sum.concurrencyMax = UInt64(waits[stage].concurrencyMax.load(ordering: .relaxed))
    if takesTimes && sum.calls > 0 { sum.concurrencyMax = max(1, sum.concurrencyMax) }
    if stage == 0, let previous { addInput(of: previous, to: &sum) }
    return sum
  }

  private func counts(ofStage stage: Int) -> StageStatistics {
    var sum = StageStatistics()
    sum.kind = stage == 0 || stage == last ? .serial : stages[stage].stage?.kind ?? .serial
    for seat in 0..<workerCount {
      let own = seatStage(seat, stage)
      // What may become of a call first: then a snapshot never shows more of it than calls.
      sum.blocksDropped &+= own.pointee.counts.dropped.load(ordering: .relaxed)
      sum.blocksFailed &+= own.pointee.counts.failed.load(ordering: .relaxed)
      sum.calls &+= own.pointee.counts.calls
      sum.bytesIn &+= own.pointee.counts.bytesIn.load(ordering: .relaxed)
      sum.bytesOut &+= own.pointee.counts.bytesOut.load(ordering: .relaxed)
      sum.blocksCut &+= own.pointee.counts.cut.load(ordering: .relaxed)
      sum.blocksIn &+= own.pointee.counts.passed.load(ordering: .relaxed)
    }
    let lost = sum.blocksDropped &+ sum.blocksFailed
    if stages[stage].function == nil {
      sum.blocksIn = flow.pointee.retired.load(ordering: .relaxed)
      sum.blocksOut = stage == last ? flow.pointee.delivered.load(ordering: .relaxed) : sum.blocksIn
    } else {
      // The call in which a source says that the input is over brings no block.
      let shown = stage == 0 ? source.pointee.issuedSnapshot.load(ordering: .relaxed) : sum.calls
      sum.blocksIn &+= shown &+ sum.blocksCut
      sum.blocksOut = shown &- min(shown, lost)
    }
    return sum
  }

  /// A splitter: what it took in, and what waited for it, is counted in the segment before.
  private func addInput(
    of previous: UnsafeMutablePointer<PipelineRun>, to sum: inout StageStatistics
  ) {
    let input = previous.pointee.statistics(ofStage: previous.pointee.last)
    sum.kind = .splitter
    sum.blocksIn = input.blocksIn
    sum.blocksCut = input.blocksCut
    sum.bytesIn &+= input.bytesIn
    sum.orderWaitNanoseconds = input.orderWaitNanoseconds
    sum.parked = input.parked
    sum.parkedNow = input.parkedNow
    sum.parkedMax = input.parkedMax
    let notices = source.pointee.notices.load(ordering: .relaxed)
    sum.blocksOut = source.pointee.issuedSnapshot.load(ordering: .relaxed) &- notices
  }

  /// Of all segments; in the first one.
  var statisticsOfAll: PipelineStatistics {
    var sum = statistics
    var longest = bottleneck
    var here = next
    while let segment = here {
      let more = segment.pointee.statistics
      sum.stages += more.stages - 1
      sum.wallNanoseconds = more.wallNanoseconds
      sum.blocksOut = more.blocksOut
      sum.bytesOut = more.bytesOut
      sum.inFlight += more.inFlight
      sum.inFlightMax = max(sum.inFlightMax, more.inFlightMax)
      sum.bytesInFlight += more.bytesInFlight
      sum.bytesInFlightMax = max(sum.bytesInFlightMax, more.bytesInFlightMax)
      sum.submitWaitNanoseconds += more.submitWaitNanoseconds
      sum.resultWaitNanoseconds += more.resultWaitNanoseconds
      sum.carried += more.carried
      sum.handedOver += more.handedOver
      sum.wakes = more.wakes
      sum.timelineEventsLost += more.timelineEventsLost
      let other = segment.pointee.bottleneck
      if other.share > longest.share { longest = other }
      here = segment.pointee.next
    }
    sum.bottleneckStage = longest.share > 0 ? longest.stage : nil
    return sum
  }

  var statistics: PipelineStatistics {
    var result = PipelineStatistics()
    let end = times.pointee.end.load(ordering: .acquiring)  // pairs with endTimes
    let now = end == 0 ? Clock.now : end
    result.stages = shownStageCount
    result.wallNanoseconds = UInt64(clamping: now - startTime)
    let retired = flow.pointee.retired.load(ordering: .relaxed)
    result.blocksOut = flow.pointee.delivered.load(ordering: .relaxed)
    if hasSource {
      result.blocksIn = source.pointee.issuedSnapshot.load(ordering: .relaxed)
    } else {
      let next = flow.pointee.next.load(ordering: .relaxed)
      let total = flow.pointee.total.load(ordering: .relaxed)
      // After the close `next` counts those who came too late.
      result.blocksIn = max(retired, total != Self.unknownTotal ? total : next & ~Self.closedBit)
    }
    let credits = flow.pointee.credits.snapshot
    // Who has found no place may not have said so yet, or no more. More than the limit are in flight
    // only after it was lowered.
    let waiting =
      hasSource
      ? credits.free < 0
        || Baton.state(flow.pointee.baton.load(ordering: .relaxed)) >= Baton.noPlace ? 1 : 0
      : flow.pointee.placeWaiters.load(ordering: .relaxed)
    let most = flow.pointee.mostInFlight.load(ordering: .relaxed)
    result.inFlight = UInt64(
      clamping: min(credits.claimed - waiting, max(credits.limit, most)))
    result.inFlightMax = UInt64(most)
    result.limit = UInt64(credits.limit)
    result.bytesInFlight = UInt64(clamping: flow.pointee.weights.current)
    result.bytesInFlightMax = UInt64(clamping: flow.pointee.weights.peak)
    let wakes =
      end == 0 ? pool.wakes : times.pointee.wakesAfter.load(ordering: .relaxed)
    result.wakes = wakes &- times.pointee.wakesBefore.load(ordering: .relaxed)
    addTimes(now, isEnded: end != 0, to: &result)
    addStages(to: &result)
    result.timelineEventsLost = timelineEventsLost
    return result
  }

  /// Times that something lasted, and lasts still.
  private func addTimes(_ now: Int64, isEnded: Bool, to result: inout PipelineStatistics) {
    result.throttledNanoseconds = times.pointee.throttled.load(ordering: .relaxed)
    result.starvedNanoseconds = times.pointee.starved.load(ordering: .relaxed)
    result.submitWaitNanoseconds = times.pointee.submitWait.load(ordering: .relaxed)
    result.resultWaitNanoseconds = times.pointee.resultWait.load(ordering: .relaxed)
    if isEnded { return }
    let throttledSince = times.pointee.throttledSince.load(ordering: .relaxed)
    if throttledSince > 0 {
      result.throttledNanoseconds &+= UInt64(clamping: now - throttledSince)
    }
    let emptySince = times.pointee.emptySince.load(ordering: .relaxed)
    if emptySince > 0 { result.starvedNanoseconds &+= UInt64(clamping: now - emptySince) }
  }

  private func addStages(to result: inout PipelineStatistics) {
    var steps: UInt64 = 0
    for stage in 0..<stageCount {
      let counts = counts(ofStage: stage)
      if stage == 0 && hasSource { result.bytesIn = counts.bytesOut }
      if stage == last { result.bytesOut = counts.bytesOut }
      if stage > 0 { steps &+= counts.blocksIn }
    }
    result.bottleneckStage = bottleneck.share > 0 ? bottleneck.stage : nil
    if !hasSource { result.bytesIn = flow.pointee.bytesIn.load(ordering: .relaxed) }
    if stages[last].function == nil {
      result.bytesOut = flow.pointee.deliveredBytes.load(ordering: .relaxed)
    }
    for seat in 0..<workerCount {
      result.handedOver &+= seats[seat].handedOver.load(ordering: .relaxed)
    }
    result.carried = steps &- min(steps, result.handedOver)
  }

  /// The stage with the most time for each call that may run at once, as the pipeline counts stages.
  private var bottleneck: (stage: Int, share: UInt64) {
    var longest: (stage: Int, share: UInt64) = (0, 0)
    for stage in 0..<stageCount {
      var busy: UInt64 = 0
      for seat in 0..<workerCount { busy &+= seatStage(seat, stage).pointee.counts.times.busy }
      let share = busy / UInt64(width(ofStage: stage))
      if share > longest.share { longest = (stageBase + stage, share) }
    }
    return longest
  }

  /// Calls of a stage that may run at once.
  private func width(ofStage stage: Int) -> Int {
    guard let plan = stages[stage].stage, stage > 0, stage < last, plan.kind != .serial else {
      return 1
    }
    let limit = plan.concurrencyLimit
    let workers = plan.mayBlock ? currentWorkers : min(workerCount, pool.workerCount)
    return limit == 0 ? workers : min(limit, workers)
  }
}

extension UInt64 {
  fileprivate func clamped(to bounds: ClosedRange<UInt64>) -> UInt64 {
    Swift.min(Swift.max(self, bounds.lowerBound), bounds.upperBound)
  }
}
