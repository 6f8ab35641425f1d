// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What happens to a run by the clock, on the timer's thread; set before the first callback.
struct EventState: ~Copyable {
  /// Of the pool's timer; 0: none.
  var deadlineTimer: UInt64 = 0
  /// For the serial reference, which looks at the clock itself.
  var deadline: Int64?
  /// Of the pipeline, which lives longer.
  var subscribers: Unmanaged<ProgressSubscribers>?
}

extension PipelineRun {
  /// Before anything of the run is called.
  /// - Throws: `noThread`, `noMemory`; nothing has begun then.
  func beginEvents(_ subscribers: ProgressSubscribers) throws(WorkpoolError) {
    events.pointee.subscribers = Unmanaged.passUnretained(subscribers)
    try subscribers.begin(address)
    do throws(WorkpoolError) {
      try beginDeadline()
    } catch {
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
    if events.pointee.deadlineTimer != 0 { pool.timer?.remove(events.pointee.deadlineTimer) }
    events.pointee.subscribers?.takeUnretainedValue().end(address)
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
