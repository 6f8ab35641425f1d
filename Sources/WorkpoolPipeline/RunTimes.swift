// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What a pipeline measures of itself; the values of `WP_STATISTICS_…`.
public enum StatisticsLevel: UInt32, Sendable {
  /// Counts, waiting times, and the time of calls: of every call of 5 µs and more, and of a sample of
  /// the shorter ones.
  case sampled = 0
  /// Counts alone. The engine still looks at the time of some calls, to find its pace.
  case off
  /// As `sampled`, but every call is timed: two looks at the clock, some 50 ns, for each.
  case times
}

/// Times of a run as a whole. Written seldom, by whoever sees something begin or end.
struct RunTimes: ~Copyable {
  let end = Atomic<Int64>(0)
  /// Wakes of the pool at the beginning and at the end of the run.
  let wakesBefore = Atomic<UInt64>(0)
  let wakesAfter = Atomic<UInt64>(0)
  /// Since when nothing is in flight while input may still come; 0: something is.
  let emptySince = Atomic<Int64>(0)
  let starved = Atomic<UInt64>(0)
  /// Since when the source, or a submitter, waits for a place; 0: none does. With the baton, or under
  /// the monitor.
  let throttledSince = Atomic<Int64>(0)
  let throttled = Atomic<UInt64>(0)
  /// When the host asked for the end of the input, and when the run was cancelled.
  let stoppedAt = Atomic<Int64>(0)
  let cancelledAt = Atomic<Int64>(0)
  /// Under the monitor.
  let submitWait = Atomic<UInt64>(0)
  let resultWait = Atomic<UInt64>(0)
}

/// The blocks that wait before one stage, and those inside; a line of their own.
struct StageWaits: ~Copyable {
  private let entered = Atomic<UInt64>(0)
  private let left = Atomic<UInt64>(0)
  private let most = Atomic<Int>(0)
  let concurrencyMax = Atomic<Int>(0)
  let line = PipelineRun.Padding()

  /// One block begins to wait. Returns how many do.
  func enter() -> Int {
    let count = entered.wrappingAdd(1, ordering: .relaxed).newValue
    return Int(truncatingIfNeeded: count &- left.load(ordering: .relaxed))
  }

  func leave() { left.wrappingAdd(1, ordering: .relaxed) }

  func note(depth: Int) {
    if depth > most.load(ordering: .relaxed) { _ = most.max(depth, ordering: .relaxed) }
  }

  func note(concurrency: Int) {
    if concurrency > concurrencyMax.load(ordering: .relaxed) {
      _ = concurrencyMax.max(concurrency, ordering: .relaxed)
    }
  }

  /// Now and at most. Who looks late may see too many, never more than there are records.
  func depths(capacity: Int) -> (now: UInt64, most: UInt64) {
    let left = left.load(ordering: .relaxed)
    let now = Int(truncatingIfNeeded: entered.load(ordering: .relaxed) &- left)
    return (
      UInt64(max(0, min(capacity, now))), UInt64(min(capacity, most.load(ordering: .relaxed)))
    )
  }
}

extension PipelineRun {
  /// Nothing is in flight, and no input has come yet.
  func beginTimes() {
    times.pointee.wakesBefore.store(pool.wakes, ordering: .relaxed)
    if takesTimes && previous == nil {
      times.pointee.emptySince.store(startTime, ordering: .relaxed)
    }
  }

  func endTimes() {
    times.pointee.wakesAfter.store(pool.wakes, ordering: .relaxed)
    // Who sees the end sees what was counted before.
    times.pointee.end.store(Clock.now, ordering: .releasing)  // pairs with statistics
  }

  // MARK: Starved: places are free and no input comes

  /// By who has given the last place back. A source that takes less than a microsecond starves
  /// nobody, and looking at the clock would cost as much.
  @inline(never)
  func noteEmpty() {
    if hasSource {
      let cost = stages[0].cost.load(ordering: .relaxed)
      if cost != Pace.unknownCost && cost < 1_000 { return }
    }
    guard times.pointee.emptySince.load(ordering: .relaxed) == 0,
      flow.pointee.total.load(ordering: .relaxed) == Self.unknownTotal
    else { return }
    times.pointee.emptySince.store(Clock.now, ordering: .relaxed)
    // Input that came meanwhile has not seen this.
    let credits = flow.pointee.credits.snapshot
    if credits.free < credits.limit &- emptyMargin {
      times.pointee.emptySince.store(0, ordering: .relaxed)
    }
  }

  /// A block has come.
  @inline(__always)
  func noteInput() {
    if times.pointee.emptySince.load(ordering: .relaxed) != 0 { endEmpty() }
  }

  @inline(never)
  func endEmpty() {
    let since = times.pointee.emptySince.exchange(0, ordering: .relaxed)
    if since != 0 {
      times.pointee.starved.wrappingAdd(UInt64(clamping: Clock.now - since), ordering: .relaxed)
    }
  }

  // MARK: Throttled: input would come and no place is free

  /// With the baton, which is about to be laid down.
  func noteThrottled() {
    if takesTimes { times.pointee.throttledSince.store(Clock.now, ordering: .relaxed) }
  }

  /// With the baton, which was laid down for want of a place.
  @inline(never)
  func noteUnthrottled() {
    let since = times.pointee.throttledSince.load(ordering: .relaxed)
    guard since != 0 else { return }
    times.pointee.throttled.count(UInt64(clamping: Clock.now - since))
    times.pointee.throttledSince.store(0, ordering: .relaxed)
  }

  // MARK: Waits of the host, with the monitor locked

  func beginWait(for call: HostCall) -> Int64 {
    guard takesTimes && (call == .submit || call == .nextResult) else { return 0 }
    let now = Clock.now
    if call == .submit {
      host.pointee.waitingSubmitters += 1
      if host.pointee.waitingSubmitters == 1 {
        times.pointee.throttledSince.store(now, ordering: .relaxed)
      }
    }
    return now
  }

  func endWait(for call: HostCall, since begin: Int64) {
    guard begin != 0 else { return }
    let now = Clock.now
    let time = UInt64(clamping: now - begin)
    guard call == .submit else { return times.pointee.resultWait.count(time) }
    times.pointee.submitWait.count(time)
    host.pointee.waitingSubmitters -= 1
    if host.pointee.waitingSubmitters == 0 {
      let since = times.pointee.throttledSince.exchange(0, ordering: .relaxed)
      times.pointee.throttled.count(UInt64(clamping: now - since))
    }
  }
}
