// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A step: under the lock the scheduler decides and what concerns queues is done; the rest after unlocking.
extension JobPool {
  /// What is left to do without the lock.
  struct Aftermath {
    var cpuWorkers: CallbackWorkers?
    var ioWorkers: CallbackWorkers?
    var service: JobService?
    var recorder: RunRecorder?
    var newSubstitutes = 0
    var cancels: [(token: Token, reason: CancelReason)] = []
    var links: [TokenLink] = []
    var logs: [(level: JobLogLevel, job: String, text: String)] = []
    /// Only to be let go of.
    var dropped: [Job] = []
  }

  /// One input of the scheduler.
  @discardableResult
  func step<R>(
    _ body: (inout Scheduler, Int64) throws(WorkpoolError) -> R
  ) throws(WorkpoolError) -> R {
    monitor.lock()
    let result: R
    do throws(WorkpoolError) {
      result = try body(&scheduler, Clock.now)
    } catch {
      monitor.unlock()
      throw error
    }
    let aftermath = drain()
    monitor.unlock()
    perform(aftermath)
    return result
  }

  /// With the lock held, after every input of the scheduler.
  func drain() -> Aftermath {
    var aftermath = Aftermath()
    // What the events tell of goes to the record first, then what follows from them.
    if let recorder, !scheduler.events.isEmpty { note(in: recorder) }
    var hasEnded = false
    var next = 0
    while next < scheduler.actions.count {
      let action = scheduler.actions[next]
      next += 1
      switch action {
      case .start(let job, let attempt, let slot):
        begin(job, attempt, slot, &aftermath)
      case .stop(let job, let cause):
        stop(job, cause, &aftermath)
      case .kill(let job):
        give(.kill(job), &aftermath)
      case .checkUpToDate(let job):
        ask(job)
      case .cleanUp(let job):
        cleanUp(job)
      case .ended(let job):
        hasEnded = true
        announce(job)
        dropIfDone(job, &aftermath)
        scheduler.letGo(job)
      case .forgotten(let job):
        results[job.index] = nil
      }
    }
    scheduler.actions.removeAll(keepingCapacity: true)
    if !scheduler.events.isEmpty { tellSubscribers(&aftermath) }
    if let recorder, recorder.mustBeCalled { aftermath.recorder = recorder }
    if scheduler.numbers.replaced > substituteWorkers {
      aftermath.newSubstitutes = scheduler.numbers.replaced - substituteWorkers
      substituteWorkers = scheduler.numbers.replaced
    }
    if let service, service.isAsleep, scheduler.nextDue ?? .max < service.wakeTime {
      aftermath.service = service
    }
    // Who waits in a job looks for work too.
    if waiters > 0 && (hasEnded || helpers > 0 || scheduler.options.maxQueued > 0) {
      monitor.wakeAll()
    }
    return aftermath
  }

  /// Without the lock.
  func perform(_ aftermath: Aftermath) {
    if aftermath.newSubstitutes > 0 { addWorkers(aftermath.newSubstitutes) }
    aftermath.cpuWorkers?.call()
    aftermath.ioWorkers?.call()
    aftermath.service?.call()
    aftermath.recorder?.call()
    for (token, reason) in aftermath.cancels { token.cancel(reason) }
    for link in aftermath.links { link.cut() }
    for (level, job, text) in aftermath.logs { log(level, job: job, text) }
  }

  // MARK: Actions, with the lock held

  private func begin(
    _ job: JobHandle, _ attempt: Int32, _ slot: Int32, _ aftermath: inout Aftermath
  ) {
    guard let work = works[job.index] else { return }
    switch work.work {
    case .callback:
      let started = CallbackWorkers.Started(job: job, attempt: attempt, slot: slot)
      if let recorder {
        if let workers = work.spec.hint.isIO ? ioWorkers : cpuWorkers {
          recorder.append(.start(workers, started))
        }
      } else if work.spec.hint.isIO {
        ioWorkers?.append(started)
        aftermath.ioWorkers = ioWorkers
      } else {
        cpuWorkers?.append(started)
        aftermath.cpuWorkers = cpuWorkers
      }
    case .detached:
      give(.begin(job, attempt, slot), &aftermath)
    }
  }

  private func give(_ errand: JobService.Errand, _ aftermath: inout Aftermath) {
    if let recorder {
      recorder.append(.errand(errand))
    } else {
      service?.errands.append(errand)
      aftermath.service = service
    }
  }

  private func give(_ courier: Courier, _ errand: @escaping Courier.Errand) {
    if let recorder {
      recorder.append(.give(courier, errand))
    } else {
      courier.give(errand)
    }
  }

  /// What there is to say of events beside themselves is only known now.
  private func note(in recorder: RunRecorder) {
    for event in scheduler.events {
      let index = event.job?.index ?? 0
      switch event.kind {
      case .jobSubmitted:
        if let work = event.job == nil ? nil : works[index] {
          recorder.append(.submitted(event, work))
        } else {
          recorder.append(.event(event))
        }
      case .jobFinished, .jobRetrying, .jobSkipped:
        let attempt = event.job.flatMap { scheduler.attempts($0).last }
        let result = event.kind == .jobRetrying ? nil : results[index]
        recorder.append(
          .ended(event, attempt, recorder.ends.removeValue(forKey: index), result ?? []))
      case .jobProgress: break
      default: recorder.append(.event(event))
      }
    }
  }

  private func stop(_ job: JobHandle, _ cause: JobReason, _ aftermath: inout Aftermath) {
    guard let work = works[job.index] else { return }
    if let context = contexts[job.index] {
      context.stopCause = cause
      if let token = context.ownToken { aftermath.cancels.append((token, cause.cancelReason)) }
    }
    if case .detached = work.work {
      give(.stop(job), &aftermath)
    }
  }

  private func ask(_ job: JobHandle) {
    let isUpToDate = works[job.index]?.isUpToDate
    give(clerk) { [unowned(unsafe) self] in
      let answer = isUpToDate?(job) ?? false
      apply { $0.check(job, isUpToDate: answer, at: $1) }
    }
  }

  private func cleanUp(_ job: JobHandle) {
    guard let work = works[job.index] else { return }
    give(clerk) { [unowned(unsafe) self] in
      work.cleanUp?(job)
      apply {
        $0.cleanedUp(job, at: $1)
        if self.waiters > 0 { self.monitor.wakeAll() }
      }
    }
  }

  /// An input that cannot be refused.
  func apply(_ body: (inout Scheduler, Int64) -> Void) {
    monitor.lock()
    body(&scheduler, Clock.now)
    let aftermath = drain()
    monitor.unlock()
    perform(aftermath)
  }

  private func tellSubscribers(_ aftermath: inout Aftermath) {
    for event in scheduler.events {
      if let logger = loggedEvent(event) { aftermath.logs.append(logger) }
      for subscriber in subscribers where subscriber.mask & event.kind.bit != 0 {
        let tell = subscriber.tell
        subscriber.courier.give { tell(event) }
      }
    }
    scheduler.events.removeAll(keepingCapacity: true)
  }

  // MARK: Completion

  /// The job is terminal: whoever wants to know is told by the dispatcher.
  private func announce(_ job: JobHandle) {
    guard callsBack, let work = works[job.index] else { return }
    if let call = work.onComplete {
      dispatch(job) { [work] in withExtendedLifetime(work) { call(job) } }
    }
    for completion in completions {
      let call = completion.call
      dispatch(job) { call(job) }
    }
  }

  private func dispatch(_ job: JobHandle, _ call: @escaping () -> Int32) {
    pendingCallbacks += 1
    _ = scheduler.hold(job)
    give(dispatcher) { [unowned(unsafe) self] in
      // It may be due earlier than what the service sleeps for.
      let sleeper = locked {
        callbackStart = Clock.now
        return service.flatMap { $0.isAsleep && callbackDue ?? .max < $0.wakeTime ? $0 : nil }
      }
      sleeper?.call()
      let code = call()
      apply { scheduler, now in
        self.pendingCallbacks -= 1
        self.callbackStart = 0
        self.isCallbackOverdue = false
        scheduler.letGo(job)
        if code != 0 {
          self.callbackErrors += 1
          scheduler.report(.callbackError, job, "a completion callback returned \(code)", at: now)
        }
        if self.waiters > 0 { self.monitor.wakeAll() }
      }
    }
  }

  /// Lets go of a job that is terminal and has returned.
  func dropIfDone(_ job: JobHandle, _ aftermath: inout Aftermath) {
    guard let index = scheduler.index(job), let work = works[index],
      scheduler.jobs[index].state.isTerminal, !scheduler.jobs[index].isHolding
    else { return }
    aftermath.dropped.append(work)
    works[index] = nil
    contexts[index] = nil
    if let link = tokenLinks.removeValue(forKey: index) { aftermath.links.append(link) }
  }

  // MARK: Callbacks, by workers

  /// The next job that was started for these workers.
  func takeCallback(_ workers: CallbackWorkers) -> JobContext? {
    monitor.lock()
    defer { monitor.unlock() }
    guard let started = workers.takeFirst() else { return nil }
    return enter(started, workers)
  }

  /// With the lock held: the calling thread is going to call it.
  func enter(_ started: CallbackWorkers.Started, _ workers: CallbackWorkers) -> JobContext? {
    guard let context = makeContext(started.job, started.attempt, started.slot, workers) else {
      return nil
    }
    context.thread = wpl_thread_identity()
    workers.running.append(context)
    return context
  }

  func makeContext(
    _ job: JobHandle, _ attempt: Int32, _ slot: Int32, _ workers: CallbackWorkers?
  ) -> JobContext? {
    guard let index = scheduler.index(job), let work = works[index] else { return nil }
    let context = JobContext(
      job: job, attempt: attempt, slot: slot, pool: self, work: work,
      id: scheduler.jobs[index].id, cpus: work.spec.cpus, workers: workers)
    context.stopCause = scheduler.jobs[index].stopCause
    contexts[index] = context
    return context
  }

  /// - Parameter cpu: of the calling thread.
  func call(_ context: JobContext, _ cpu: inout CPUTime) -> JobOutcome {
    guard case .callback(let function) = context.work.work else { return .completed }
    let meter = Pool.currentMeter
    let begin = Clock.now
    let state = meter?.pointee.enter(.busy, at: begin)
    var outcome = function(context)
    let end = Clock.now
    outcome.cpuNanoseconds = cpu.take(ofJob: end - begin)
    if let meter, let state { meter.pointee.enter(state, at: end) }
    return outcome
  }

  /// The function has returned.
  /// - Returns: the next one for these workers, if it is wanted and there is one.
  func finish(_ context: JobContext, _ outcome: JobOutcome, takesNext: Bool) -> JobContext? {
    monitor.lock()
    if let workers = context.workers,
      let place = workers.running.firstIndex(where: { $0 === context })
    {
      workers.running.swapAt(place, workers.running.count - 1)
      workers.running.removeLast()
    }
    let aftermath = end(context, outcome)
    var next: JobContext?
    if takesNext, let workers = context.workers, let started = workers.takeFirst() {
      next = enter(started, workers)
    }
    monitor.unlock()
    perform(aftermath)
    return next
  }

  /// With the lock held: the attempt is over.
  func end(_ context: JobContext, _ outcome: JobOutcome) -> Aftermath {
    let job = context.job
    if !context.result.isEmpty && scheduler.state(job) == .running {
      results[job.index] = context.result
    }
    contexts[job.index] = nil
    // Whoever sees the token before it has told the pool must not be followed by a job that starts.
    if let runToken, !wasInterrupted, runToken.isCancelled { interruptOnce() }
    scheduler.finish(job, outcome, at: Clock.now)
    var aftermath = drain()
    dropIfDone(job, &aftermath)
    return aftermath
  }
}

/// CPU time of a thread, from job to job. To ask for it takes a call of the system, which is dear beside the
/// shortest jobs: these count as having worked all the time they took, but not many in a row.
struct CPUTime {
  private static let short: Int64 = 10_000
  private static let mostShort = 32

  private var known = wpl_thread_cpu_time()
  private var shortJobs = 0

  /// - Parameter time: that the job took.
  mutating func take(ofJob time: Int64) -> Int64 {
    if time < Self.short && shortJobs < Self.mostShort {
      shortJobs += 1
      known += time
      return time
    }
    let now = wpl_thread_cpu_time()
    defer {
      known = now
      shortJobs = 0
    }
    return min(time, max(0, now - known))
  }
}
