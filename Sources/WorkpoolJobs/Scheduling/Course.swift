// SPDX-License-Identifier: MIT
import WorkpoolCore

/// The way of a job from state to state.
extension Scheduler {
  // MARK: Up to the start

  /// A job that is neither running nor terminal goes as far as its dependencies let it.
  mutating func settle(_ index: Int) {
    guard jobs[index].open == 0 else {
      if jobs[index].state == .pending { setState(index, .waiting) }
      return
    }
    if jobs[index].spec.when == .failure && !jobs[index].sawFailure {
      end(index, .skipped, .filtered)
    } else if jobs[index].spec.skip != .none {
      end(index, .skipped, jobs[index].spec.skip)
    } else {
      becomeReady(index)
    }
  }

  mutating func becomeReady(_ index: Int) {
    setState(index, .ready)
    jobs[index].readyTime = time
    if jobs[index].attempt == 0 { jobs[index].firstReadyTime = time }
    emit(.jobReady, index)
    if jobs[index].spec.checksUpToDate && jobs[index].attempt == 0 {
      jobs[index].isChecking = true
      checking += 1
      actions.append(.checkUpToDate(handle(index)))
    } else {
      addToReady(index)
    }
    rearm(index)
  }

  /// The answer to `checkUpToDate`.
  public mutating func check(_ job: JobHandle, isUpToDate: Bool, at now: Int64) {
    guard let index = index(job), jobs[index].isChecking else { return }
    enter(now)
    jobs[index].isChecking = false
    checking -= 1
    if jobs[index].state == .ready {
      if isUpToDate { end(index, .skipped, .upToDate) } else { addToReady(index) }
    }
    finishStep()
  }

  /// It fits and its turn has come.
  mutating func start(_ index: Int, borrowsSlots: Bool = false) {
    removeFromReady(index)
    setState(index, .running)
    if jobs[index].attempt > 0 { jobs[index].earlierAttempts.append(jobs[index].lastAttempt) }
    jobs[index].attempt += 1
    jobs[index].startTime = time
    if jobs[index].attempt == 1 {
      jobs[index].firstStartTime = time
      numbers.startedJobs += 1
      if numbers.firstStart == nil { numbers.firstStart = time }
      numbers.waitNanoseconds += time - jobs[index].firstReadyTime
      numbers.dependencyNanoseconds += jobs[index].firstReadyTime - jobs[index].submitTime
    }
    let slots = resources.take(
      shapes[Int(jobs[index].shape)].shape, jobs[index].memory, borrowsSlots: borrowsSlots)
    jobs[index].slots = slots
    jobs[index].borrowsSlots = borrowsSlots
    jobs[index].isHolding = true
    numbers.peakRunning = max(numbers.peakRunning, count(.running))
    let attempt = jobs[index].attempt
    jobs[index].lastAttempt = JobAttempt(number: attempt, slot: slots.first, start: time)
    emit(.jobStarted, index)
    actions.append(.start(handle(index), attempt: attempt, slot: slots.first))
    rearm(index)
  }

  // MARK: The end of an attempt

  /// The attempt that was started has returned.
  public mutating func finish(_ job: JobHandle, _ outcome: JobOutcome, at now: Int64) {
    guard let index = index(job) else { return }
    enter(now)
    if jobs[index].isAbandoned {
      returnAbandoned(index, outcome)
    } else if jobs[index].state == .running {
      finishAttempt(index, outcome)
    }
    finishStep()
  }

  private mutating func finishAttempt(_ index: Int, _ outcome: JobOutcome) {
    let (state, reason) = Self.verdict(
      jobs[index].stopCause, isProcesses: jobs[index].spec.kind.isProcesses, outcome)
    let isOwn = reason == outcome.reason
    closeAttempt(index, state, reason, isOwn ? outcome.detail : 0, outcome)
    giveBack(index)
    if mayRetry(index, state, reason, outcome) {
      retry(index, state, reason, outcome)
    } else {
      let text = state == .completed ? "" : outcome.text
      end(index, state, reason, detail: isOwn ? outcome.detail : 0, text: text)
    }
  }

  /// What happened first wins: an exit before our signal, an answer before the time was over.
  private static func verdict(
    _ stopCause: JobReason, isProcesses: Bool, _ outcome: JobOutcome
  ) -> (state: JobState, reason: JobReason) {
    let own = ownVerdict(outcome)
    switch stopCause {
    case .none:
      return own
    case .timeout, .deadline:
      if isProcesses && !outcome.wasSignalled { return own }
      return (.timeout, stopCause)
    default:
      let isFirst = isProcesses ? !outcome.wasSignalled : outcome.kind == .completed
      return isFirst ? own : (.cancelled, stopCause)
    }
  }

  private static func ownVerdict(_ outcome: JobOutcome) -> (state: JobState, reason: JobReason) {
    switch outcome.kind {
    case .completed: (.completed, .none)
    case .cancelled: (.cancelled, .user)
    case .error, .exit, .signal, .spawn, .exception, .crashed, .poison: (.failed, outcome.reason)
    }
  }

  private func mayRetry(
    _ index: Int, _ state: JobState, _ reason: JobReason, _ outcome: JobOutcome
  ) -> Bool {
    // Of most jobs nothing more need be looked at, and copied.
    guard state == .failed || state == .timeout else { return false }
    let job = jobs[index]
    let policy = job.spec.retry
    guard Int(job.attempt) <= policy.maxRetries, stopReason == .none, !isShutDown,
      outcome.mayRetry
    else { return false }
    switch reason {
    case .timeout: return policy.kinds.contains(.timeout)
    case .signal: return policy.kinds.contains(.signal)
    case .exit: return policy.kinds.contains(.error) && !policy.finalExits.contains(outcome.detail)
    case .spawn:
      // ENOENT, ENOEXEC, EACCES: the same will happen again.
      let isFinal = outcome.detail == 2 || outcome.detail == 8 || outcome.detail == 13
      return policy.kinds.contains(.error) && !isFinal
    case .error, .exception, .crashed: return policy.kinds.contains(.error)
    default: return false
    }
  }

  private mutating func retry(
    _ index: Int, _ state: JobState, _ reason: JobReason, _ outcome: JobOutcome
  ) {
    numbers.retries += 1
    let next = Int(jobs[index].attempt) + 1
    var random = jobs[index].order &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(next)
    random = (random ^ random >> 30) &* 0xbf58_476d_1ce4_e5b9
    random = (random ^ random >> 27) &* 0x94d0_49bb_1331_11eb
    let chance = Double((random ^ random >> 31) >> 11) / 9007199254740992
    let delay = jobs[index].spec.retry.delay(before: next, chance: chance)
    let (due, overflow) = time.addingReportingOverflow(delay)
    setState(index, .waiting)
    jobs[index].retryTime = overflow ? .max : due
    jobs[index].stopCause = .none
    jobs[index].isKilled = false
    emit(
      .jobRetrying, index, state: state, reason: reason, detail: outcome.detail, text: outcome.text)
    if delay == 0 { becomeReady(index) } else { rearm(index) }
  }

  private mutating func closeAttempt(
    _ index: Int, _ state: JobState, _ reason: JobReason, _ detail: Int32, _ outcome: JobOutcome
  ) {
    var attempt = jobs[index].lastAttempt
    attempt.state = state
    attempt.reason = reason
    attempt.detail = detail
    attempt.end = time
    attempt.cpuNanoseconds = outcome.cpuNanoseconds
    attempt.peakMemory = outcome.peakMemory
    jobs[index].lastAttempt = attempt
    numbers.attempts += 1
    numbers.lastEnd = time
    numbers.executionNanoseconds += time - attempt.start
    if !jobs[index].borrowsSlots {
      let cpus = shapes[Int(jobs[index].shape)].shape.cpus
      numbers.slotNanoseconds += (time - attempt.start) &* Int64(cpus)
    }
    numbers.cpuNanoseconds += outcome.cpuNanoseconds
    if state == .timeout { numbers.timeouts += 1 }
    if reason == .crashed { numbers.crashes += 1 }
  }

  /// Its slots, memory and pools are free.
  private mutating func giveBack(_ index: Int) {
    guard jobs[index].isHolding else { return }
    resources.give(
      shapes[Int(jobs[index].shape)].shape, jobs[index].memory, jobs[index].slots)
    jobs[index].isHolding = false
    jobs[index].slots = Resources.Slots()
  }

  // MARK: Abandoned

  /// Its grace is over and it has not returned: waiters and dependents go on, but it holds what it held.
  mutating func abandon(_ index: Int) {
    let cause = jobs[index].stopCause
    let state: JobState = cause == .timeout || cause == .deadline ? .timeout : .cancelled
    closeAttempt(index, state, cause, 0, JobOutcome(.cancelled))
    jobs[index].isAbandoned = true
    numbers.abandonedRunning += 1
    let shape = shapes[Int(jobs[index].shape)].shape
    if numbers.replaced < options.replaceAbandoned && !jobs[index].borrowsSlots && !shape.isAlone {
      jobs[index].isReplaced = true
      numbers.replaced += 1
      resources.substitute(for: shape)
    }
    end(index, state, cause, text: "abandoned: it did not return within its grace")
  }

  private mutating func returnAbandoned(_ index: Int, _ outcome: JobOutcome) {
    guard jobs[index].isHolding else { return }
    if jobs[index].isReplaced {
      jobs[index].isReplaced = false
      numbers.replaced -= 1
      resources.substitute(for: shapes[Int(jobs[index].shape)].shape, ends: true)
    }
    giveBack(index)
    numbers.abandonedRunning -= 1
    numbers.cpuNanoseconds += outcome.cpuNanoseconds
    jobs[index].lastAttempt.cpuNanoseconds = outcome.cpuNanoseconds
    emit(.jobReturned, index)
    letGo(index)
  }

  // MARK: The end of a job

  mutating func end(
    _ index: Int, _ state: JobState, _ reason: JobReason, detail: Int32 = 0, text: String = "",
    link: Int32 = -1
  ) {
    if jobs[index].isReady { removeFromReady(index) }
    if jobs[index].isChecking {
      jobs[index].isChecking = false
      checking -= 1
    }
    let mustCleanUp =
      jobs[index].spec.cleansUp && jobs[index].attempt > 0 && state != .completed
    setState(index, state)
    jobs[index].reason = reason
    jobs[index].detail = detail
    jobs[index].text = text.utf8.count <= JobOutcome.textSize ? text : Self.tail(text)
    jobs[index].link = link
    if link >= 0 { jobs[Int(link)].holds += 1 }
    jobs[index].endTime = time
    dueTimes.set(Int32(index), order: jobs[index].order, to: nil)
    countEnd(index)
    forgetNeeds(index)
    emit(state == .skipped ? .jobSkipped : .jobFinished, index)
    jobs[index].endSeq = seq
    if jobs[index].isAbandoned { jobs[index].holds += 1 }
    if mustCleanUp {
      jobs[index].isCleaningUp = true
      jobs[index].holds += 1
      numbers.cleaningUp += 1
      actions.append(.cleanUp(handle(index)))
    }
    actions.append(.ended(handle(index)))
    jobs[index].holds += 2  // until its dependents are told; until who drives this lets go
    endedQueue.append(Int32(index))
    retain(index)
  }

  /// What it needed may be forgotten now.
  private mutating func forgetNeeds(_ index: Int) {
    for need in jobs[index].needs { letGo(Int(need)) }
    jobs[index].needs = []
    guard jobs[index].awaitsUnknown else { return }
    for id in jobs[index].spec.dependencies + jobs[index].spec.orderOnly {
      guard var waiting = awaited[id] else { continue }
      waiting.removeAll { $0 == Int32(index) }
      awaited[id] = waiting.isEmpty ? nil : waiting
    }
  }

  private static func tail(_ text: String) -> String {
    let bytes = Array(text.utf8.suffix(JobOutcome.textSize))
    // Not from the middle of a character.
    let start = bytes.firstIndex { $0 & 0xc0 != 0x80 } ?? 0
    return String(decoding: bytes[start...], as: UTF8.self)
  }

  private mutating func countEnd(_ index: Int) {
    let state = jobs[index].state
    numbers.processed += 1
    numbers.ended[Int(state.rawValue - JobState.completed.rawValue)] += 1
    if state.isSatisfied || jobs[index].spec.allowsFailure { return }
    numbers.unsatisfied += 1
    guard state == .failed || state == .timeout, jobs[index].spec.countsForStop else { return }
    failures += 1
    if options.maxFailures > 0 && failures >= options.maxFailures && stopReason == .none {
      stopDue = Int32(index)
    }
  }

  /// Tells the dependents of all that has ended, breadth first, then stops if it must.
  mutating func settleEnded() {
    var next = 0
    while next < endedQueue.count || stopDue >= 0 {
      if next == endedQueue.count {
        let cause = stopDue
        stopDue = -1
        applyStop(options.stopsNow ? .now : .soft, .stop, link: cause)
        continue
      }
      let index = Int(endedQueue[next])
      next += 1
      tellDependents(index, isCleanedUp: !jobs[index].isCleaningUp)
      letGo(index)
    }
    endedQueue.removeAll(keepingCapacity: true)
    if isShutDown && nonTerminal == 0 && numbers.abandonedRunning == 0 && !isFinished {
      isFinished = true
      emit(.runFinished)
    }
  }

  /// - Parameter isCleanedUp: false: those that run after failures must wait for its clean-up.
  private mutating func tellDependents(_ index: Int, isCleanedUp: Bool) {
    let isBad = !jobs[index].state.isSatisfied
    let cancels = isBad && !jobs[index].spec.allowsFailure
    var later: [ScheduledJob.Edge] = []
    for edge in jobs[index].dependents {
      let other = Int(edge.job)
      guard !jobs[other].state.isTerminal else { continue }
      if jobs[other].spec.when == .success && cancels && !edge.isOrderOnly {
        end(other, .cancelled, .dependency, link: Int32(index))
      } else if !isCleanedUp && (jobs[other].spec.when != .success || edge.isOrderOnly) {
        later.append(edge)
      } else {
        if isBad && !edge.isOrderOnly { jobs[other].sawFailure = true }
        jobs[other].open -= 1
        if jobs[other].open == 0 && !isPausedPending(other) { settle(other) }
      }
    }
    jobs[index].dependents = later
  }

  private func isPausedPending(_ index: Int) -> Bool { isPaused && jobs[index].state == .pending }

  /// The clean-up of a job has returned.
  public mutating func cleanedUp(_ job: JobHandle, at now: Int64) {
    guard let index = index(job), jobs[index].isCleaningUp else { return }
    enter(now)
    jobs[index].isCleaningUp = false
    numbers.cleaningUp -= 1
    tellDependents(index, isCleanedUp: true)
    letGo(index)
    finishStep()
  }
}
