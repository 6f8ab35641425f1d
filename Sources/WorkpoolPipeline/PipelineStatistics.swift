// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What a stage has done so far. Exact after the end of the run.
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
  /// Time in the callback, scaled up from the timed calls.
  public var busyNanoseconds: UInt64 = 0
  public var timedCalls: UInt64 = 0
  public var minNanoseconds: UInt64 = 0
  public var maxNanoseconds: UInt64 = 0
  /// Blocks that had to wait for their turn or a place.
  public var parked: UInt64 = 0

  public init() {}
}

/// What a run has done so far.
public struct PipelineStatistics: Sendable {
  public var stages = 0
  /// Since the start, until the end.
  public var wallNanoseconds: UInt64 = 0
  public var blocksIn: UInt64 = 0
  public var blocksOut: UInt64 = 0
  /// Blocks between source and cleanup; in all segments, if there are splitters.
  public var inFlight: UInt64 = 0
  /// The most at once; in one segment, if there are splitters.
  public var inFlightMax: UInt64 = 0
  /// Of each segment.
  public var limit: UInt64 = 0
  /// What the blocks in flight weigh.
  public var bytesInFlight: UInt64 = 0
  public var bytesInFlightMax: UInt64 = 0
  /// Workers woken, by everything on the pool.
  public var wakes: UInt64 = 0

  public init() {}
}

extension PipelineRun {
  /// - Parameter stage: as this segment counts.
  func statistics(ofStage stage: Int) -> StageStatistics {
    var sum = StageStatistics()
    sum.name = stages[stage].stage?.name ?? "end"
    sum.kind = stage == 0 || stage == last ? .serial : stages[stage].stage?.kind ?? .serial
    var timed: UInt64 = 0
    var least = UInt64.max
    for seat in 0..<workerCount {
      let own = seatStage(seat, stage)
      sum.calls &+= own.pointee.counts.calls
      sum.bytesIn &+= own.pointee.counts.bytesIn.load(ordering: .relaxed)
      sum.bytesOut &+= own.pointee.counts.bytesOut.load(ordering: .relaxed)
      sum.blocksDropped &+= own.pointee.counts.dropped.load(ordering: .relaxed)
      sum.blocksCut &+= own.pointee.counts.cut.load(ordering: .relaxed)
      sum.blocksFailed &+= own.pointee.counts.failed.load(ordering: .relaxed)
      sum.blocksIn &+= own.pointee.counts.passed.load(ordering: .relaxed)
      sum.parked &+= own.pointee.counts.parked.load(ordering: .relaxed)
      sum.timedCalls &+= own.pointee.counts.timedCalls.load(ordering: .relaxed)
      timed &+= own.pointee.counts.timedNanoseconds.load(ordering: .relaxed)
      least = min(least, own.pointee.counts.minNanoseconds.load(ordering: .relaxed))
      sum.maxNanoseconds = max(
        sum.maxNanoseconds, own.pointee.counts.maxNanoseconds.load(ordering: .relaxed))
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
    if stage == 0, let previous { addInput(of: previous, to: &sum) }
    sum.minNanoseconds = least == .max ? 0 : least
    if sum.timedCalls > 0 {
      sum.busyNanoseconds = UInt64(
        Double(timed) * Double(sum.calls) / Double(sum.timedCalls))
    }
    return sum
  }

  /// A splitter: what it took in is counted in the segment before.
  private func addInput(
    of previous: UnsafeMutablePointer<PipelineRun>, to sum: inout StageStatistics
  ) {
    let input = previous.pointee.statistics(ofStage: previous.pointee.last)
    sum.kind = .splitter
    sum.blocksIn = input.blocksIn
    sum.blocksCut = input.blocksCut
    sum.bytesIn &+= input.bytesIn
    sum.parked = input.parked
    let notices = source.pointee.notices.load(ordering: .relaxed)
    sum.blocksOut = source.pointee.issuedSnapshot.load(ordering: .relaxed) &- notices
  }

  /// Of all segments; in the first one.
  var statisticsOfAll: PipelineStatistics {
    var sum = statistics
    var here = next
    while let segment = here {
      let more = segment.pointee.statistics
      sum.stages += more.stages - 1
      sum.wallNanoseconds = more.wallNanoseconds
      sum.blocksOut = more.blocksOut
      sum.inFlight += more.inFlight
      sum.inFlightMax = max(sum.inFlightMax, more.inFlightMax)
      sum.bytesInFlight += more.bytesInFlight
      sum.bytesInFlightMax = max(sum.bytesInFlightMax, more.bytesInFlightMax)
      here = segment.pointee.next
    }
    return sum
  }

  var statistics: PipelineStatistics {
    var result = PipelineStatistics()
    result.stages = shownStageCount
    monitor.lock()
    let end = host.pointee.endTime
    monitor.unlock()
    result.wallNanoseconds = UInt64(clamping: (end == 0 ? Clock.now : end) - startTime)
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
    let waiting =
      hasSource
      ? Baton.state(flow.pointee.baton.load(ordering: .relaxed)) >= Baton.noPlace ? 1 : 0
      : flow.pointee.placeWaiters.load(ordering: .relaxed)
    result.inFlight = UInt64(clamping: credits.claimed - waiting)
    result.inFlightMax = UInt64(flow.pointee.mostInFlight.load(ordering: .relaxed))
    result.limit = UInt64(credits.limit)
    result.bytesInFlight = UInt64(clamping: flow.pointee.weights.current)
    result.bytesInFlightMax = UInt64(clamping: flow.pointee.weights.peak)
    result.wakes = pool.wakes
    return result
  }
}
