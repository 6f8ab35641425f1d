// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Cancels, stops, limits of time, shutdown: all that ends jobs before their work is done.
extension Scheduler {
  // MARK: One job

  /// - Returns: the state it was in; nil if it is gone. A job that is terminal or has a stop order
  ///   already stays as it is.
  @discardableResult
  public mutating func cancel(_ job: JobHandle, at now: Int64) -> JobState? {
    guard let index = index(job) else { return nil }
    enter(now)
    let state = jobs[index].state
    cancel(index, .user, link: -1)
    finishStep()
    return state
  }

  private mutating func cancel(_ index: Int, _ reason: JobReason, link: Int32) {
    if jobs[index].state.isTerminal { return }
    if jobs[index].state == .running {
      orderStop(index, reason)
    } else {
      end(index, .cancelled, reason, link: link)
    }
  }

  private mutating func orderStop(_ index: Int, _ cause: JobReason) {
    guard jobs[index].stopCause == .none else { return }
    jobs[index].stopCause = cause
    jobs[index].stopTime = time
    if cause != .timeout && cause != .deadline { jobs[index].wasCancelRequested = true }
    actions.append(.stop(handle(index), cause))
    if jobs[index].spec.kind != .command { emit(.jobOverdue, index, reason: cause) }
    rearm(index)
  }

  // MARK: All jobs

  /// Cancels every job that there is; later ones are not concerned.
  public mutating func cancelAll(at now: Int64) {
    enter(now)
    for index in unfinished() { cancel(index, .user, link: -1) }
    finishStep()
  }

  /// From now on nothing new starts but jobs that run `always` or after a `failure`.
  public mutating func stop(_ mode: StopMode, at now: Int64) {
    enter(now)
    applyStop(mode, .stop, link: -1)
    finishStep()
  }

  /// The user wants to go. The first time as `stop(.now)`, with the reason `user`; the second time
  /// nothing is spared, and what runs is ended by force.
  public mutating func interrupt(at now: Int64) {
    enter(now)
    if stopReason != .user {
      applyStop(.now, .user, link: -1)
    } else {
      endEverything(.user)
      for index in unfinished() where jobs[index].state == .running { kill(index) }
    }
    finishStep()
  }

  /// No more jobs; those that run may go on for so long, then they get a stop order.
  /// - Parameter limit: nanoseconds; nil: for ever.
  public mutating func shutdown(limit: Int64?, at now: Int64) {
    enter(now)
    if !isShutDown {
      isShutDown = true
      isFinal = true
      if stopReason == .none { stopReason = .shutdown }
      isPaused = false
      for index in unfinished() where jobs[index].state != .running {
        cancel(index, .shutdown, link: -1)
      }
    }
    if let limit {
      let (due, overflow) = time.addingReportingOverflow(limit)
      if !overflow { shutdownTime = min(shutdownTime ?? .max, due) }
    }
    lookAtClock()
    finishStep()
  }

  mutating func applyStop(_ mode: StopMode, _ reason: JobReason, link: Int32) {
    if stopReason == .none || reason == .user {
      stopReason = reason
      if stopLink < 0 && link >= 0 {
        stopLink = link
        jobs[Int(link)].holds += 1  // for good: later jobs may link to it
      }
    }
    for index in unfinished() where !isSpared(index) {
      if jobs[index].state != .running || mode == .now { cancel(index, reason, link: link) }
    }
  }

  private mutating func endEverything(_ reason: JobReason) {
    isFinal = true
    if stopReason == .none { stopReason = reason }
    for index in unfinished() { cancel(index, reason, link: -1) }
  }

  /// Runs after a stop too.
  func isSpared(_ index: Int) -> Bool {
    guard jobs[index].spec.when != .success else { return false }
    return jobs[index].attempt == 0 || jobs[index].state == .running
  }

  /// In the order of submission.
  private func unfinished() -> [Int] {
    var found = jobs.indices.filter { isUsed[$0] && !jobs[$0].state.isTerminal }
    if !freeIndices.isEmpty || submitted > UInt64(jobs.count) {
      found.sort { jobs[$0].order < jobs[$1].order }
    }
    return found
  }

  // MARK: Pauses

  public mutating func pause(at now: Int64) {
    enter(now)
    if !isShutDown { isPaused = true }
  }

  public mutating func resume(at now: Int64) {
    enter(now)
    guard isPaused else { return }
    isPaused = false
    for index in unfinished() where jobs[index].state == .pending { settle(index) }
    finishStep()
  }

  // MARK: By the clock

  /// When something is due, see `nextDue`.
  public mutating func tick(at now: Int64) {
    enter(now)
    lookAtClock()
    while let job = dueTimes.take(at: now) {
      act(Int(job))
      settleEnded()
    }
    finishStep()
  }

  private mutating func lookAtClock() {
    if let due = options.runDeadline, due <= time, !isFinal {
      options.runDeadline = nil
      endEverything(.runDeadline)
      settleEnded()
    }
    if let due = shutdownTime, due <= time {
      shutdownTime = nil
      for index in unfinished() { cancel(index, .shutdown, link: -1) }
      settleEnded()
    }
  }

  /// A time of the job has come.
  private mutating func act(_ index: Int) {
    let job = jobs[index]
    let deadline = deadline(of: job)
    switch job.state {
    case .running where job.stopCause != .none:
      if job.spec.kind.isProcesses { kill(index) } else { abandon(index) }
    case .running:
      let limit = timeLimit(of: job)
      orderStop(index, deadline ?? .max <= limit ?? .max ? .deadline : .timeout)
    case .waiting:
      if let deadline, deadline <= job.retryTime {
        end(index, .timeout, .deadline)
      } else {
        becomeReady(index)
      }
    case .ready:
      end(index, .timeout, .deadline)
    default:
      break
    }
  }

  private mutating func kill(_ index: Int) {
    guard !jobs[index].isKilled else { return }
    jobs[index].isKilled = true
    actions.append(.kill(handle(index)))
    rearm(index)
  }

  private func deadline(of job: ScheduledJob) -> Int64? {
    guard let limit = job.spec.deadline, job.attempt > 0 else { return nil }
    return Self.sum(job.firstStartTime, limit)
  }

  private func timeLimit(of job: ScheduledJob) -> Int64? {
    job.spec.timeout.map { Self.sum(job.startTime, $0) }
  }

  /// From a stop order until it is abandoned or killed.
  func grace(of index: Int) -> Int64 {
    jobs[index].spec.grace
      ?? (jobs[index].spec.kind.isProcesses ? options.killGrace : options.grace)
  }

  private static func sum(_ time: Int64, _ span: Int64) -> Int64 {
    let (sum, overflow) = time.addingReportingOverflow(max(0, span))
    return overflow ? .max : sum
  }

  /// Notes when the job must be looked at next.
  mutating func rearm(_ index: Int) {
    // By its fields: a copy of a job costs more than all of this.
    var due: Int64?
    var deadline: Int64?
    if let limit = jobs[index].spec.deadline, jobs[index].attempt > 0 {
      deadline = Self.sum(jobs[index].firstStartTime, limit)
    }
    switch jobs[index].state {
    case .running where jobs[index].stopCause != .none:
      if !jobs[index].isKilled { due = Self.sum(jobs[index].stopTime, grace(of: index)) }
    case .running:
      if let limit = jobs[index].spec.timeout { due = Self.sum(jobs[index].startTime, limit) }
      if let deadline { due = min(due ?? .max, deadline) }
    case .waiting where jobs[index].attempt > 0:
      due = min(jobs[index].retryTime, deadline ?? .max)
    case .ready:
      due = deadline
    default:
      break
    }
    dueTimes.set(Int32(index), order: jobs[index].order, to: due)
  }
}
