// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// Whether more workers would help, and how many blocks a worker takes from the source at once.
///
/// Passing a block between two cores costs some hundred nanoseconds. Blocks that cost less than that
/// are carried faster by one worker than by several, so a run of tiny stages stays on one worker: it
/// is *compact*, otherwise *spread*. What would gain from more workers is a block's time outside
/// its longest serial stage. It is measured on a sample of calls.
///
/// A run with a stage that may block is always spread, and from a source that may block one block is
/// taken at a time: what it brought must not wait for what it will bring.
///
/// In a compact run nobody is woken for new work while one worker is active; a sentinel (see
/// `Pool`) takes over if that one is held up by a callback.
struct Pace: ~Copyable {
  static let unknownCost = UInt32.max
  /// Longer calls count as this one, ns.
  static let largestCost: UInt64 = 1 << 30
  /// Gain per block, ns, from which on a run spreads, and below which it becomes compact.
  static let spreadFrom: UInt32 = 450
  static let compactBelow: UInt32 = 300
  /// A worker takes about so much work (ns) from the source at once; and alone in a compact run, where
  /// nobody waits for it.
  static let batchNanoseconds: UInt32 = 6_000
  static let compactBatchNanoseconds: UInt32 = 24_000
  /// Where a stage takes several blocks at once, so that it gets some.
  static let gatheredNanoseconds: UInt32 = 200_000
  static let largestBatch = 32

  /// Workers inside that take whatever comes.
  let active = Atomic<Int>(0)
  let line = PipelineRun.Padding()
  let isSpread = Atomic<Bool>(true)
  let batch = Atomic<Int>(1)
  /// Pulses at the sentinel's last look; only the sentinel touches it.
  let lastPulses = Atomic<UInt64>(0)
}

extension PipelineRun {
  /// A timed call of `stage`: updates its cost and what follows from it.
  @inline(never)
  func noteCost(stage: Int, nanoseconds: UInt64) {
    let cell = stages + stage
    let old = cell.pointee.cost.load(ordering: .relaxed)
    var cost = min(nanoseconds, Pace.largestCost)
    if old != Pace.unknownCost {
      // A preempted call must not count as a long one: outliers enter step by step.
      cost = (UInt64(old) * 3 + min(cost, UInt64(old) * 8 + 2_000)) / 4
    }
    cell.pointee.cost.store(UInt32(cost), ordering: .relaxed)

    var sum: UInt64 = 0
    var longestSerial: UInt32 = 0
    var isKnown = true
    for index in 0..<stageCount where stages[index].function != nil {
      let cost = stages[index].cost.load(ordering: .relaxed)
      if cost == Pace.unknownCost {
        isKnown = false
        continue
      }
      sum += UInt64(cost)
      if stages[index].isSerial || stages[index].gathering != nil || index == 0 {
        longestSerial = max(longestSerial, cost)
      }
    }
    let workers = currentWorkers
    guard isKnown || workers == 1 else { return }
    let gain = sum - UInt64(longestSerial)
    let wasSpread = pace.pointee.isSpread.load(ordering: .relaxed)
    let isSpread =
      workers > 1
      && (mayBlock || gain >= UInt64(wasSpread ? Pace.compactBelow : Pace.spreadFrom))
    if isSpread != wasSpread {
      // An exchange: see Pool, P1. For what lies ready nobody was woken while the run was compact.
      _ = pace.pointee.isSpread.exchange(isSpread, ordering: .sequentiallyConsistent)
      if isSpread { pool.workAppeared() }
    }

    // Half of the places, shared by all workers, are enough for what nobody has begun yet.
    let room = isSpread ? max(1, limit / (2 * workers)) : max(1, limit / 2)
    let most =
      isSpread
      ? Pace.batchNanoseconds : gathers ? Pace.gatheredNanoseconds : Pace.compactBatchNanoseconds
    let byTime = Int(UInt64(most) / max(1, sum))
    let usual = sourceMayBlock ? 1 : max(1, min(byTime, Pace.largestBatch, room))
    let batch = options.fixedBatch ?? usual
    if batch != pace.pointee.batch.load(ordering: .relaxed) {
      pace.pointee.batch.store(batch, ordering: .relaxed)
    }
  }

  /// Workers there are at present, of `workerCount` at most; with those that there may be while others
  /// sit in a stage of this run.
  var currentWorkers: Int {
    min(workerCount, pool.workerCount &+ (mayBlock ? pool.extraCount : 0))
  }

  @inline(__always) var isSpread: Bool { pace.pointee.isSpread.load(ordering: .relaxed) }

  /// After work was made visible by a sequentially consistent read-modify-write.
  @inline(__always) func announce() {
    schedulePoint()
    if isSpread || pace.pointee.active.load(ordering: .sequentiallyConsistent) == 0 {
      pool.workAppeared()
    } else {
      pool.workAppearedQuietly()
    }
  }

  /// Something lies here for any worker that looks.
  @inline(__always) var hasOpenWork: Bool {
    if flow.pointee.readyCount.load(ordering: .sequentiallyConsistent) > 0 { return true }
    let baton = flow.pointee.baton.load(ordering: .sequentiallyConsistent)
    return baton == Baton.free || baton == Baton.prepaid
  }

  var hasQueuedWork: Bool {
    for index in 0..<workerCount
    where seats[index].head.load(ordering: .relaxed) < seats[index].tail.load(ordering: .relaxed) {
      return true
    }
    return false
  }

  /// Whether a searching worker would find something to do here.
  var hasWork: Bool {
    let phase = flow.pointee.phase.load(ordering: .sequentiallyConsistent)
    if phase != Phase.running.rawValue { return phase == Phase.drained.rawValue }
    if pace.pointee.isSpread.load(ordering: .sequentiallyConsistent) {
      return hasOpenWork || hasQueuedWork
    }
    return pace.pointee.active.load(ordering: .sequentiallyConsistent) == 0 && hasOpenWork
  }

  /// Work that lies with a worker which may be held up by a callback, while others sleep.
  var needsSentinel: Bool {
    guard pace.pointee.active.load(ordering: .relaxed) > 0,
      flow.pointee.phase.load(ordering: .relaxed) == Phase.running.rawValue
    else { return false }
    // A spread run too: a worker may have seen it compact and then freed the baton without a wake.
    return hasQueuedWork || hasOpenWork
  }

  /// By the sentinel: nothing was taken up since its last look, though something lies here.
  func noticeStuck() -> Bool {
    guard needsSentinel else { return false }
    var pulses: UInt64 = 1
    for index in 0..<workerCount {
      pulses = pulses &+ seats[index].pulse.load(ordering: .relaxed)
    }
    let before = pace.pointee.lastPulses.exchange(pulses, ordering: .relaxed)
    guard before == pulses else { return false }
    // What was measured does not hold any more: the run stays spread until all is measured again.
    for index in 0..<stageCount {
      stages[index].cost.store(Pace.unknownCost, ordering: .relaxed)
    }
    pace.pointee.isSpread.store(true, ordering: .relaxed)
    return true
  }
}
