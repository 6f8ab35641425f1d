// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Waiting for jobs, and the end of a pool.
extension JobPool {
  /// Waits until the job is terminal and what its end cancels is terminal too.
  ///
  /// - Parameters:
  ///   - timeout: nanoseconds; 0: only looks, negative: for ever.
  ///   - helps: on a worker of the pool: runs jobs meanwhile that this one depends on, and itself.
  /// - Returns: `ok`, or `timedOut`, which has no effect on the job.
  /// - Throws: `notFound`; `wouldDeadlock` on a thread of the pool that does not help, or whose job this
  ///   one waits for.
  public func wait(
    for job: JobHandle, timeout: Int64 = -1, helps: Bool = false
  ) throws(WorkpoolError) -> Status {
    try wait(forAnyOf: [job], timeout: timeout, helps: helps).status
  }

  /// Waits until one of the jobs is terminal.
  /// - Returns: also which, the first one of those that are.
  public func wait(
    forAnyOf jobs: [JobHandle], timeout: Int64 = -1, helps: Bool = false
  ) throws(WorkpoolError) -> (status: Status, index: Int) {
    let isInside = timeout != 0 && isOnOwnThread
    let deadline = Clock.deadline(after: timeout)
    monitor.lock()
    for job in jobs where scheduler.index(job) == nil {
      monitor.unlock()
      throw WorkpoolError(.notFound, "there is no such job")
    }
    if let index = firstTerminal(jobs) {
      monitor.unlock()
      return (.ok, index)
    }
    if isInside && !helps {
      monitor.unlock()
      throw WorkpoolError(
        .wouldDeadlock, "a callback of the pool cannot wait for its jobs without helping")
    }
    for job in jobs { _ = scheduler.hold(job) }
    let own = isInside ? ownContext : nil
    if let own, let first = jobs.first, jobs.count == 1, wouldCloseCycle(own.job, first) {
      for job in jobs { scheduler.letGo(job) }
      monitor.unlock()
      throw WorkpoolError(.wouldDeadlock, "job \(own.id) is needed by the job it would wait for")
    }
    own?.waitsFor = jobs.first
    waiters += 1
    if isInside { helpers += 1 }
    var status = timeout == 0 ? Status.timedOut : .ok
    var index = firstTerminal(jobs)
    // A thread of the pool works meanwhile.
    while index == nil && status == .ok {
      if isInside && helps, help(jobs, own) {
        // Something has been done; maybe it was that.
      } else if !wait(until: deadline) {
        status = .timedOut
      }
      index = firstTerminal(jobs)
    }
    if index != nil { status = .ok }
    waiters -= 1
    if isInside { helpers -= 1 }
    own?.waitsFor = nil
    for job in jobs { scheduler.letGo(job) }
    let aftermath = drain()
    monitor.unlock()
    perform(aftermath)
    return (status, index ?? 0)
  }

  private func firstTerminal(_ jobs: [JobHandle]) -> Int? {
    jobs.firstIndex {
      guard let index = scheduler.index($0) else { return true }
      return scheduler.jobs[index].state.isTerminal && isOnRecord(scheduler.jobs[index].endSeq)
    }
  }

  /// Waits until every job is terminal and all completion callbacks have returned, so that what those
  /// submit counts too.
  ///
  /// - Throws: `wouldDeadlock` on a thread of the pool; `unknownDependency` with the ids if all that is left
  ///   waits for jobs that nobody has submitted;
  ///   `ioFailed` if all has ended because the record could not be written.
  public func waitForAll(timeout: Int64 = -1) throws(WorkpoolError) -> Status {
    if timeout != 0 && isOnOwnThread {
      throw WorkpoolError(.wouldDeadlock, "a callback of the pool cannot wait for all its jobs")
    }
    let deadline = Clock.deadline(after: timeout)
    monitor.lock()
    defer { monitor.unlock() }
    waiters += 1
    defer { waiters -= 1 }
    while !isIdle {
      if scheduler.onlyUnknownIsAwaited && hasNoCallbacks {
        var text = "all that is left waits for jobs that nobody has submitted:"
        for id in scheduler.awaitedIDs { text += " " + id }
        throw WorkpoolError(.unknownDependency, text)
      }
      if timeout == 0 || !wait(until: deadline) {
        if isIdle { break }
        return .timedOut
      }
    }
    if let failure = recorder?.failure { throw failure }
    return .ok
  }

  private var hasNoCallbacks: Bool { pendingCallbacks == 0 || isCallbackOverdue }
  private var isIdle: Bool {
    scheduler.nonTerminal == 0 && scheduler.numbers.cleaningUp == 0 && hasNoCallbacks
      && isOnRecord(scheduler.seq)
  }

  /// No more jobs. What waits is cancelled at once, what runs may go on for so long; then it gets a stop
  /// order with its grace.
  ///
  /// - Parameters:
  ///   - waits: until all is over; else it returns at once.
  ///   - timeout: nanoseconds; negative: as long as it takes.
  /// - Throws: `timedOut` with the name of a job that is stuck; `wouldDeadlock` if a thread of the
  ///   pool would wait.
  public func shutdown(waits: Bool, timeout: Int64 = -1) throws(WorkpoolError) {
    apply { $0.shutdown(limit: timeout < 0 ? nil : timeout, at: $1) }
    guard waits else { return }
    guard !isOnOwnThread else {
      throw WorkpoolError(.wouldDeadlock, "a callback of the pool cannot wait for its end")
    }
    monitor.lock()
    defer { monitor.unlock() }
    waiters += 1
    defer { waiters -= 1 }
    let end = timeout < 0 ? nil : Clock.deadline(after: timeout)
    // Every job ends: callbacks are abandoned after their grace, commands killed.
    while scheduler.nonTerminal > 0 || scheduler.numbers.cleaningUp > 0 {
      if !wait(until: end.map { $0 &+ stopAllowance }) { break }
    }
    while !(hasNoCallbacks && isOnRecord(scheduler.seq)),
      wait(until: end.map { $0 &+ stopAllowance })
    {}
    if let name = firstUnfinished {
      throw WorkpoolError(.timedOut, "job \(name) has not returned")
    }
  }

  /// So long after the stop orders all must have ended, if it can be ended at all.
  private var stopAllowance: Int64 {
    min(scheduler.longestGrace, 1 << 60) &+ 50_000_000
  }

  // MARK: Helping

  /// With the lock held: the job whose function the calling thread is in; the innermost one.
  var ownContext: JobContext? {
    let thread = wpl_thread_identity()
    return running.last { $0.thread == thread && $0.waitsFor == nil }
  }

  private var running: [JobContext] { (cpuWorkers?.running ?? []) + (ioWorkers?.running ?? []) }

  /// Whether a wait of `job` for `other` could never end.
  private func wouldCloseCycle(_ job: JobHandle, _ other: JobHandle) -> Bool {
    var seen: [JobHandle] = []
    var next = [other]
    while let here = next.popLast() {
      if scheduler.waits(here, for: job) { return true }
      seen.append(here)
      for context in running {
        guard let target = context.waitsFor, !seen.contains(target), !next.contains(target),
          scheduler.waits(here, for: context.job)
        else { continue }
        next.append(target)
      }
    }
    return false
  }

  /// With the lock held, which is given up meanwhile: runs a job that one of these depends on.
  /// - Returns: false if there is none now, and the lock was held all the time: who then waits misses nothing.
  private func help(_ jobs: [JobHandle], _ own: JobContext?) -> Bool {
    for job in jobs {
      for workers in [cpuWorkers, ioWorkers] {
        guard let workers else { continue }
        var wasUnlocked = false
        if workers.queue.isEmpty, let own {
          guard scheduler.startToHelp(own.job, awaited: job, at: Clock.now) else { continue }
          let aftermath = drain()
          monitor.unlock()
          perform(aftermath)
          monitor.lock()
          wasUnlocked = true
        }
        let started = workers.take { scheduler.waits(job, for: $0) }
        guard let started, let context = enter(started, workers) else {
          if wasUnlocked { return true }
          continue
        }
        monitor.unlock()
        var cpu = CPUTime()
        let outcome = call(context, &cpu)
        _ = finish(context, outcome, takesNext: false)
        monitor.lock()
        return true
      }
    }
    return false
  }
}
