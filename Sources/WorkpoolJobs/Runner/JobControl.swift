// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// What may be asked of a pool at any time, by any thread.
extension JobPool {
  /// Accepts a job; see `Scheduler.submit`.
  ///
  /// - Parameter timeout: nanoseconds to wait while too many are queued; 0: not at all, negative: for
  ///   ever. Threads of the pool never wait.
  /// - Throws: also `wouldBlock` and `timedOut`, `noThread`, `noMemory`.
  @discardableResult
  public func submit(
    _ job: Job, allowsForward: Bool = false, timeout: Int64 = -1
  ) throws(WorkpoolError) -> JobHandle {
    try submit([job], allowsForward: allowsForward, timeout: timeout)[0]
  }

  /// All of them or none.
  /// - Parameter accepted: called when they are, under the lock, before any of them starts.
  @discardableResult
  public func submit(
    _ jobs: [Job], allowsForward: Bool = false, timeout: Int64 = -1,
    accepted: () -> Void = {}
  ) throws(WorkpoolError) -> [JobHandle] {
    try begin(for: jobs)
    for job in jobs {
      job.spec.checksUpToDate = job.isUpToDate != nil
      job.spec.cleansUp = job.cleanUp != nil
    }
    var specs = jobs.map { $0.shared }
    var run: RunResume?
    var spared: Spared?
    if needsDefinitions {
      let (earlier, adder) = locked { (resumed, recorder == nil ? nil : ownContext?.id) }
      if let adder { for job in jobs { job.adder = adder } }
      run = earlier
      spared = earlier.map { spare(jobs, &specs, $0) }
    }
    let deadline = Clock.deadline(after: timeout)
    monitor.lock()
    var handles: [JobHandle] = []
    var mayWait = false
    while true {
      do throws(WorkpoolError) {
        handles = try accept(specs, jobs, allowsForward)
        break
      } catch {
        guard error.status == .wouldBlock, timeout != 0 else {
          monitor.unlock()
          throw error
        }
        if !mayWait {
          // Found out without the lock, so there may be room by now.
          monitor.unlock()
          if isOnOwnThread { throw error }
          mayWait = true
          monitor.lock()
          continue
        }
        waiters += 1
        let isInTime = wait(until: deadline)
        waiters -= 1
        if !isInTime {
          monitor.unlock()
          throw WorkpoolError(.timedOut, error.message)
        }
      }
    }
    accepted()
    if let run, let spared { keep(spared, handles, specs, run) }
    let links = linkTokens(handles, jobs)
    let aftermath = drain()
    monitor.unlock()
    perform(aftermath)
    for link in links { link.tie() }
    return handles
  }

  /// With the lock held. The works are in their places before the scheduler starts any of them.
  private func accept(
    _ specs: [SharedSpec], _ jobs: [Job], _ allowsForward: Bool
  ) throws(WorkpoolError) -> [JobHandle] {
    if isClosed { throw WorkpoolError(.shutDown, "the pool is destroyed") }
    if let failure = recorder?.failure { throw failure }
    let handles = try scheduler.submit(specs, allowsForward: allowsForward, at: Clock.now)
    let count = scheduler.jobs.count
    while works.count < count {
      works.append(nil)
      contexts.append(nil)
    }
    for (handle, job) in zip(handles, jobs) { works[handle.index] = job }
    return handles
  }

  private func linkTokens(_ handles: [JobHandle], _ jobs: [Job]) -> [TokenLink] {
    var links: [TokenLink] = []
    for (handle, job) in zip(handles, jobs) {
      guard let token = job.token, scheduler.state(handle)?.isTerminal == false else { continue }
      let link = TokenLink(self, handle, token)
      tokenLinks[handle.index] = link
      links.append(link)
    }
    return links
  }

  /// With the lock held.
  /// - Returns: false when the time is over.
  func wait(until deadline: Int64?) -> Bool {
    guard let deadline else {
      monitor.wait()
      return true
    }
    return monitor.wait(until: deadline)
  }

  /// - Returns: the state it was in.
  /// - Throws: `notFound`.
  @discardableResult
  public func cancel(_ job: JobHandle) -> JobState? {
    var former: JobState?
    apply { former = $0.cancel(job, at: $1) }
    return former
  }

  public func cancelAll() { apply { $0.cancelAll(at: $1) } }
  public func stop(_ mode: Scheduler.StopMode) { apply { $0.stop(mode, at: $1) } }
  public func interrupt() { apply { $0.interrupt(at: $1) } }

  func tokenWasCancelled() {
    monitor.lock()
    interruptOnce()
    let aftermath = drain()
    monitor.unlock()
    perform(aftermath)
  }

  /// With the lock held.
  func interruptOnce() {
    if wasInterrupted { return }
    wasInterrupted = true
    scheduler.interrupt(at: Clock.now)
  }

  public func pause() { apply { $0.pause(at: $1) } }
  public func resume() { apply { $0.resume(at: $1) } }

  /// - Throws: `unsatisfiable` if a job that waits could never run then; `noThread`.
  public func setLimits(_ limits: JobLimits) throws(WorkpoolError) {
    guard limits.slots >= 1 else {
      throw WorkpoolError(.invalidArgument, "a pool of jobs has at least one slot")
    }
    try step { (scheduler, now) throws(WorkpoolError) in try scheduler.setLimits(limits, at: now) }
    let (cpu, io) = locked { (cpuWorkers, ioWorkers) }
    if let cpu, cpu.isOwn { try cpu.setWorkers(limits.slots) }
    if let io { try io.setWorkers(limits.ioSlots > 0 ? limits.ioSlots : limits.slots) }
  }

  public var limits: JobLimits { locked { scheduler.options.limits } }

  public func release(_ job: JobHandle) throws(WorkpoolError) {
    try step { (scheduler, _) throws(WorkpoolError) in try scheduler.release(job) }
  }

  // MARK: Looking

  public func find(_ id: String) -> JobHandle? { locked { scheduler.find(id) } }
  public func view(_ job: JobHandle) -> JobView? { locked { scheduler.view(job) } }
  public func state(_ job: JobHandle) -> JobState? { locked { scheduler.state(job) } }
  public func attempts(_ job: JobHandle) -> [JobAttempt] { locked { scheduler.attempts(job) } }
  public func causes(_ job: JobHandle) -> [JobHandle] { locked { scheduler.causes(job) } }
  public func causeText(_ job: JobHandle) -> String { locked { scheduler.causeText(job) } }
  /// What the job's function has given; nil: nothing.
  public func result(_ job: JobHandle) -> [UInt8]? {
    locked { scheduler.index(job) == nil ? nil : results[job.index] }
  }

  // MARK: Being told

  /// Calls `tell` with every event of the kinds in `mask`, in the order of `seq`, on a thread of its own.
  /// - Returns: what `unsubscribe` takes.
  public func subscribe(
    _ mask: UInt32 = JobEvent.all, _ tell: @escaping (JobEvent) -> Void
  ) throws(WorkpoolError) -> UInt64 {
    let courier = try Courier(name: "wp-events")
    try courier.begin()
    return locked {
      lastSubscriber += 1
      subscribers.append(
        Subscriber(id: lastSubscriber, mask: mask, courier: courier, tell: tell))
      updateMask()
      return lastSubscriber
    }
  }

  /// Afterwards it is told nothing any more; what happened before it has been told, unless it is the
  /// subscriber itself that calls.
  /// - Throws: `notFound`.
  public func unsubscribe(_ id: UInt64) throws(WorkpoolError) {
    monitor.lock()
    guard let place = subscribers.firstIndex(where: { $0.id == id }) else {
      monitor.unlock()
      throw WorkpoolError(.notFound, "there is no such subscriber")
    }
    let subscriber = subscribers[place]
    guard !subscriber.courier.isOnThisThread else {
      monitor.unlock()
      throw WorkpoolError(.wouldDeadlock, "a subscriber cannot end its own thread")
    }
    subscribers.remove(at: place)
    updateMask()
    monitor.unlock()
    subscriber.courier.close()
  }

  /// With the lock held.
  func updateMask() {
    var mask: UInt32 = logger == nil && recorder == nil ? 0 : JobEvent.all
    for subscriber in subscribers { mask |= subscriber.mask }
    scheduler.eventMask = mask
  }

  /// Calls `call` for every job that becomes terminal, on the dispatcher.
  public func onComplete(_ call: @escaping (JobHandle) -> Int32) throws(WorkpoolError) -> UInt64 {
    try dispatcher.begin()
    return locked {
      lastSubscriber += 1
      completions.append((lastSubscriber, call))
      return lastSubscriber
    }
  }

  /// - Throws: `notFound`.
  public func removeCompletion(_ id: UInt64) throws(WorkpoolError) {
    let removed = locked {
      completions.firstIndex { $0.id == id }.map { completions.remove(at: $0) }
    }
    guard removed != nil else { throw WorkpoolError(.notFound, "there is no such callback") }
  }

  /// Lines about everything that happens, and what jobs say; on the threads where it happens. nil: none.
  public func setLog(_ logger: ((JobLogLevel, String, String) -> Void)?) {
    // The one before is let go of under no lock.
    let former = locked {
      let former = self.logger
      self.logger = logger
      updateMask()
      return former
    }
    withExtendedLifetime(former) {}
  }

  func log(_ level: JobLogLevel, job: String, _ text: String) {
    locked { logger }?(level, job, text)
  }

  /// With the lock held.
  func loggedEvent(_ event: JobEvent) -> (level: JobLogLevel, job: String, text: String)? {
    guard logger != nil else { return nil }
    var text = "\(event.kind.name)"
    var level = JobLogLevel.debug
    switch event.kind {
    case .jobFinished, .jobSkipped:
      text += " \(event.state.name)"
      if event.reason != .none { text += " (\(event.reason.name))" }
      level = event.state.isSatisfied ? .info : .error
    case .jobStarted:
      text += " attempt \(event.attempt) on slot \(event.slot)"
    case .warning, .callbackError, .jobOverdue, .jobRetrying:
      level = .warning
    default:
      break
    }
    if !event.chain.isEmpty { text += " because of \(event.root)" }
    if !event.text.isEmpty { text += ": " + event.text }
    return (level, event.id, text)
  }

  /// Something for all subscribers to know.
  public func warn(_ job: JobHandle?, _ text: String) {
    apply { $0.report(.warning, job, text, at: $1) }
  }

  // MARK: Completion callbacks that take too long

  /// With the lock held.
  var callbackDue: Int64? {
    guard let callbackTimeout, callbackStart != 0, !isCallbackOverdue else { return nil }
    let (due, overflow) = callbackStart.addingReportingOverflow(callbackTimeout)
    return overflow ? nil : due
  }

  /// With the lock held: nobody waits for it any longer.
  func giveUpCallback(_ now: Int64) -> Aftermath {
    isCallbackOverdue = true
    scheduler.report(.warning, nil, "a completion callback has not returned in time", at: now)
    if waiters > 0 { monitor.wakeAll() }
    return drain()
  }
}

extension CallbackWorkers {
  func setWorkers(_ count: Int) throws(WorkpoolError) {
    try pool.setWorkers(max(1, min(count, pool.extraSeats.lowerBound)))
  }
}
