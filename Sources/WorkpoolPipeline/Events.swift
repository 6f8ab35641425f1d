// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What happens to a run by the clock, on the timer's thread; set before the first callback.
struct EventState: ~Copyable {
  /// On the timer's thread alone. First: to the thread sanitizer a change of it is one of the struct's
  /// first byte.
  var watch: StuckWatch
  /// Of the pool's timer; 0: none.
  var deadlineTimer: UInt64 = 0
  /// For the serial reference, which looks at the clock itself.
  var deadline: Int64?
  /// Of the pipeline, which lives longer.
  var subscribers: Unmanaged<ProgressSubscribers>?
  var stuckTimer: UInt64 = 0
  let looks: UnsafeMutablePointer<SeatLook>

  init(looks: UnsafeMutablePointer<SeatLook>, patience: Int64) {
    self.looks = looks
    watch = StuckWatch(patience: patience)
  }
}

extension PipelineRun {
  /// Before anything of the run is called.
  /// - Throws: `noThread`, `noMemory`; nothing has begun then.
  func beginEvents(_ subscribers: ProgressSubscribers) throws(WorkpoolError) {
    events.pointee.subscribers = Unmanaged.passUnretained(subscribers)
    try subscribers.begin(address)
    do throws(WorkpoolError) {
      try beginDeadline()
      try beginStuckWatch()
    } catch {
      endDeadline()
      subscribers.withdraw()
      throw error
    }
  }

  private func beginDeadline() throws(WorkpoolError) {
    guard options.runTimeoutNanoseconds > 0 else { return }
    let (deadline, isNever) = startTime.addingReportingOverflow(options.runTimeoutNanoseconds)
    if isNever { return }
    if options.isSerialReference {
      events.pointee.deadline = deadline
    } else if let timer = pool.timer {
      events.pointee.deadlineTimer = try timer.add(at: deadline, context: address) { context in
        context.assumingMemoryBound(to: PipelineRun.self).pointee.cancel(.deadline)
      }
    }
  }

  /// After the outcome was decided, by the thread that did. From now on nothing happens by the clock.
  func endEvents() {
    endDeadline()
    if events.pointee.stuckTimer != 0 { pool.timer?.remove(events.pointee.stuckTimer) }
    events.pointee.subscribers?.takeUnretainedValue().end(address)
  }

  private func endDeadline() {
    if events.pointee.deadlineTimer != 0 { pool.timer?.remove(events.pointee.deadlineTimer) }
  }

  private func beginStuckWatch() throws(WorkpoolError) {
    guard options.stuckAfterNanoseconds > 0, let timer = pool.timer else { return }
    let interval = StuckWatch.interval(for: options.stuckAfterNanoseconds)
    events.pointee.stuckTimer = try timer.add(
      at: startTime.addingReportingOverflow(interval).partialValue, every: interval,
      context: address
    ) { context in
      context.assumingMemoryBound(to: PipelineRun.self).pointee.lookWhetherStuck()
    }
  }

  /// By the timer; in the first segment.
  private func lookWhetherStuck() {
    var sum: UInt64 = 0
    var hasWork = false
    forEachSegment { segment in
      segment.pointee.noteSeats()
      sum &+= segment.pointee.movement
      let retired = segment.pointee.flow.pointee.retired.load(ordering: .relaxed)
      if segment.pointee.unfinished > retired { hasWork = true }
    }
    guard events.pointee.watch.look(Clock.now, movement: sum, hasWork: hasWork) else { return }
    options.onStuck?(dumpOfAll)
    if options.cancelsWhenStuck { cancel(.stuck) }
  }

  /// Changes whenever a block moves, from counters that are there anyway.
  private var movement: UInt64 {
    var sum = flow.pointee.retired.load(ordering: .relaxed) &+ unfinished
    for seat in 0..<workerCount {
      sum &+= seats[seat].pulse.load(ordering: .relaxed)
      for stage in 0..<stageCount {
        sum &+= seatStage(seat, stage).pointee.counts.calls
        sum &+= seatStage(seat, stage).pointee.counts.passed.load(ordering: .relaxed)
      }
    }
    return sum
  }

  /// Behind the last number that has come in.
  private var unfinished: UInt64 {
    let total = flow.pointee.total.load(ordering: .relaxed)
    if total != Self.unknownTotal { return total }
    if hasSource { return source.pointee.issuedSnapshot.load(ordering: .relaxed) }
    guard isNumberedByCaller else {
      return flow.pointee.next.load(ordering: .relaxed) & ~Self.closedBit
    }
    monitor.lock()
    defer { monitor.unlock() }
    return host.pointee.highest
  }

  /// By the serial reference, between two calls.
  func lookAtClock() {
    if let deadline = events.pointee.deadline, Clock.now >= deadline { cancel(.deadline) }
    events.pointee.subscribers?.takeUnretainedValue().lookAtClock(address)
  }
}

extension Status {
  /// The outcome of a run as those are told who wait for something else than the outcome: to them
  /// `timedOut` says that their own time is over.
  var toWaiters: Status { self == .timedOut ? .cancelled : self }
}
