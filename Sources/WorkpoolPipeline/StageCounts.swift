// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// Counts of one worker at one stage. Written by that worker, read by anyone: every field is whole at
/// any time, and none goes back.
///
/// ## Which calls are timed
///
/// Looking at the clock twice costs as much as a tiny callback. So after a call of less than 500 ns one
/// of about 224 is timed, after one of less than 5 µs one of about 16, after a longer one the next; by
/// how much the distance varies is left to chance, so that it keeps no step with the calls. A timed
/// call stands for itself and for the calls before it that were not timed, but those cannot have taken
/// longer than the time since the last timed one ended.
///
/// The thread's own clock, for the CPU time, is a system call of up to a microsecond: it is looked at in
/// every timed call after one of 200 µs, else in one of 64 timed calls.
struct StageCounts: ~Copyable {
  /// Low byte: calls until one is timed. Above: the calls that will have been made by then. One word,
  /// so that a reader never sees calls twice or not at all.
  let countdown = Atomic<UInt64>(0)
  let bytesIn = Atomic<UInt64>(0)
  let bytesOut = Atomic<UInt64>(0)
  let dropped = Atomic<UInt64>(0)
  let cut = Atomic<UInt64>(0)
  let failed = Atomic<UInt64>(0)
  /// Tombstones that passed.
  let passed = Atomic<UInt64>(0)
  let parked = Atomic<UInt64>(0)
  /// Waits of blocks that this worker ended.
  let orderWait = Atomic<UInt64>(0)
  let placeWait = Atomic<UInt64>(0)

  let timedCalls = Atomic<UInt64>(0)
  /// Time of all calls up to the last timed one, `accounted` in number, and of that what the thread
  /// did not run.
  let busy = Atomic<UInt64>(0)
  let asleep = Atomic<UInt64>(0)
  let accounted = Atomic<UInt64>(0)
  /// `accounted` and `busy` when the CPU time was last taken.
  let accountedCPU = Atomic<UInt64>(0)
  let busyCPU = Atomic<UInt64>(0)
  let last = Atomic<UInt64>(0)
  let lastEnd = Atomic<Int64>(0)
  let least = Atomic<UInt64>(.max)
  let most = Atomic<UInt64>(0)
  /// Timed calls until one takes the CPU time too.
  let untilCPU = Atomic<UInt32>(0)
  /// In a timed call.
  let isInside = Atomic<Bool>(false)
  let histogram: CallHistogram

  init(histogram: CallHistogram) { self.histogram = histogram }

  var calls: UInt64 { Self.calls(countdown.load(ordering: .relaxed)) }

  private static func calls(_ word: UInt64) -> UInt64 { word >> 8 &- word & 0xff }

  /// Counts a call that is not timed.
  /// - Returns: false, and has counted nothing, if the call is to be timed.
  @inline(__always)
  func countsDown() -> Bool {
    let word = countdown.load(ordering: .relaxed)
    if word & 0xff == 0 { return false }
    countdown.store(word &- 1, ordering: .relaxed)
    return true
  }

  /// Counts a call that was none of the callback's, and moves no timed one.
  func countUntimed() { countdown.count(1 << 8) }

  /// Counts a timed call of a block, or of several at once, and says how far the next one is.
  /// - Returns: calls since the last timed one, this one included, and what is guessed that the others
  ///   took.
  @discardableResult
  func note(
    _ whole: UInt64, of blocks: UInt64 = 1, endingAt end: Int64, cpu: UInt64?, takesTimes: Bool,
    timesEveryCall: Bool
  ) -> (calls: UInt64, untimed: UInt64) {
    var result: (calls: UInt64, untimed: UInt64) = (blocks, 0)
    let time = blocks == 1 ? whole : whole / blocks
    let calls = countdown.load(ordering: .relaxed) >> 8 &+ blocks
    if takesTimes {
      let represented = calls &- accounted.load(ordering: .relaxed)
      if represented > blocks {
        // In the time that these calls share with all else the worker did.
        let room = UInt64(clamping: end &- lastEnd.load(ordering: .relaxed)) &- whole
        result = (represented, min((represented &- blocks) &* min(time, 1 << 40), room))
        busy.count(result.untimed)
      }
      busy.count(whole)
      if let cpu { noteCPU(cpu / blocks, of: time, calls: calls) }
      histogram.add(time, represented)
      timedCalls.count(blocks)
      if time < least.load(ordering: .relaxed) { least.store(time, ordering: .relaxed) }
      if time > most.load(ordering: .relaxed) { most.store(time, ordering: .relaxed) }
      last.store(time, ordering: .relaxed)
      lastEnd.store(end, ordering: .relaxed)
      accounted.store(calls, ordering: .relaxed)
      let until = untilCPU.load(ordering: .relaxed)
      untilCPU.store(
        time >= 200_000 ? 0 : cpu != nil ? 63 : until &- min(until, 1), ordering: .relaxed)
    }
    let chance = (UInt64(bitPattern: end) &* 0x9e37_79b9_7f4a_7c15) >> 58
    let period: UInt64 =
      if timesEveryCall {
        0
      } else if time < 500 {
        192 + chance
      } else if time < 5_000 {
        8 + chance >> 2
      } else {
        takesTimes ? 0 : 15
      }
    countdown.store((calls &+ period) << 8 | period, ordering: .relaxed)
    return result
  }

  /// By the owner, which leaves: accounts for the calls since the last timed one.
  /// - Returns: how many they are and what is guessed that they took.
  func settle(at now: Int64) -> (calls: UInt64, untimed: UInt64) {
    let calls = calls
    let count = calls &- accounted.load(ordering: .relaxed)
    guard count > 0 else { return (0, 0) }
    let room = UInt64(clamping: now &- lastEnd.load(ordering: .relaxed))
    let time = min(count &* min(last.load(ordering: .relaxed), 1 << 40), room)
    busy.count(time)
    accounted.store(calls, ordering: .relaxed)
    return (count, time)
  }

  private func noteCPU(_ cpu: UInt64, of time: UInt64, calls: UInt64) {
    let all = busy.load(ordering: .relaxed)
    if time > cpu {
      let represented = calls &- accountedCPU.load(ordering: .relaxed)
      let room = all &- busyCPU.load(ordering: .relaxed)
      let (sum, overflow) = (time &- cpu).multipliedReportingOverflow(by: represented)
      asleep.count(overflow ? room : min(sum, room))
    }
    accountedCPU.store(calls, ordering: .relaxed)
    busyCPU.store(all, ordering: .relaxed)
  }

  /// Time in the callback so far, and how much of it the thread ran.
  var times: (busy: UInt64, cpu: UInt64) {
    let untimed = calls &- min(calls, accounted.load(ordering: .relaxed))
    let busy =
      busy.load(ordering: .relaxed) &+ untimed &* min(last.load(ordering: .relaxed), 1 << 40)
    return (busy, busy &- min(busy, asleep.load(ordering: .relaxed)))
  }
}

extension Atomic where Value == UInt64 {
  /// Adds to a counter that only this thread writes.
  @inline(__always) func count(_ amount: UInt64 = 1) {
    store(load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }
}
