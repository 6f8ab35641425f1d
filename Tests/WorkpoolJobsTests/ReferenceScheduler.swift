// SPDX-License-Identifier: MIT
@testable import WorkpoolJobs

/// The same semantics once more, as plainly as can be: all jobs in one list that is gone through again and
/// again, ids in place of indices, no heaps, no counters kept up to date, no events. Shares only the
/// types of its inputs with the scheduler.
final class ReferenceScheduler {
  final class Job {
    let spec: JobSpec
    let order: Int
    var state = JobState.pending
    var reason = JobReason.none
    /// The id of the job it was cancelled for.
    var cause: String?
    /// Its place among all ends.
    var ended = 0
    /// Its dependents know.
    var isTold = false
    var attempts = 0
    var firstStart: Int64 = 0
    var start: Int64 = 0
    var retryAt: Int64?
    var stop = JobReason.none
    var stopAt: Int64 = 0
    var bypassed = 0
    var stillHolds = false
    var readySince: Int64 = 0

    init(_ spec: JobSpec, _ order: Int) {
      self.spec = spec
      self.order = order
    }
    var isTerminal: Bool { state.rawValue >= 4 }
    var isGood: Bool { state == .completed || state == .skipped }
    var holds: Bool { state == .running || stillHolds }
  }

  let options: Scheduler.Options
  var jobs: [Job] = []
  var starts: [String] = []
  var now: Int64 = 0
  private var ends = 0
  private var failures = 0
  private var stopReason = JobReason.none
  private var stopCause: String?

  init(_ options: Scheduler.Options) { self.options = options }

  func job(_ id: String) -> Job { jobs.first { $0.spec.id == id }! }

  // MARK: Inputs

  func submit(_ specs: [JobSpec]) {
    var new: [Job] = []
    for spec in specs { new.append(Job(spec, jobs.count + new.count)) }
    jobs += new
    // What had ended before the group came.
    let bads = new.map { job in needs(job).filter { isBad($0) }.min { $0.ended < $1.ended } }
    for (job, bad) in zip(new, bads) {
      if job.spec.when == .success, let bad {
        end(job, .cancelled, .dependency, bad.spec.id)
      } else if stopReason != .none && job.spec.when == .success {
        end(job, .cancelled, stopReason, stopCause)
      } else {
        job.state = .waiting
      }
    }
    settle()
  }

  func finish(_ id: String, _ outcome: JobOutcome) {
    let job = job(id)
    if job.stillHolds {
      job.stillHolds = false
    } else {
      conclude(job, outcome)
    }
    settle()
  }

  func cancel(_ id: String) {
    stop(job(id), .user, nil)
    settle()
  }

  func stopAll(_ mode: Scheduler.StopMode) {
    beginStop(mode, nil)
    settle()
  }

  func advance(to time: Int64) {
    now = time
    while let job = due().first { act(job) }
    settle()
  }

  func nextDue() -> Int64? { jobs.compactMap { dueTime($0) }.min() }

  // MARK: Time

  private func dueTime(_ job: Job) -> Int64? {
    var times: [Int64] = []
    if job.state == .running {
      if job.stop != .none { return job.stopAt + (job.spec.grace ?? options.grace) }
      if let limit = job.spec.timeout { times.append(job.start + limit) }
    }
    if let retryAt = job.retryAt, job.state == .waiting { times.append(retryAt) }
    if let limit = job.spec.deadline, job.attempts > 0, !job.isTerminal {
      times.append(job.firstStart + limit)
    }
    return times.min()
  }

  private func due() -> [Job] {
    jobs.filter { (dueTime($0) ?? .max) <= now }
      .sorted { (dueTime($0)!, $0.order) < (dueTime($1)!, $1.order) }
  }

  private func act(_ job: Job) {
    let deadline = job.spec.deadline.map { job.firstStart + $0 } ?? .max
    if job.state == .running && job.stop != .none {
      job.stillHolds = true
      let isTimeout = job.stop == .timeout || job.stop == .deadline
      end(job, isTimeout ? .timeout : .cancelled, job.stop, nil)
    } else if job.state == .running {
      job.stop =
        deadline <= job.start + (job.spec.timeout ?? .max - job.start) ? .deadline : .timeout
      job.stopAt = now
    } else if deadline <= now && deadline <= job.retryAt ?? .max {
      end(job, .timeout, .deadline, nil)
    } else {
      job.retryAt = nil
      job.state = .ready
      job.readySince = now
    }
    tellAll()
  }

  // MARK: Ends

  private func conclude(_ job: Job, _ outcome: JobOutcome) {
    var state = JobState.failed
    var reason = JobReason.exit
    if job.stop == .timeout || job.stop == .deadline {
      (state, reason) = (.timeout, job.stop)
    } else if outcome.kind == .completed {
      (state, reason) = (.completed, .none)
    } else if job.stop != .none {
      (state, reason) = (.cancelled, job.stop)
    }
    let retry = job.spec.retry
    let isRetried = reason == .exit || reason == .timeout
    if isRetried && job.attempts <= retry.maxRetries && stopReason == .none {
      var delay = Double(retry.delay)
      for _ in 1..<max(1, job.attempts) { delay *= retry.factor }
      delay = min(delay, Double(retry.maxDelay))
      job.stop = .none
      if delay < 1 {
        job.state = .ready
        job.readySince = now
      } else {
        job.state = .waiting
        job.retryAt = now + Int64(delay)
      }
    } else {
      end(job, state, reason, nil)
    }
  }

  private func stop(_ job: Job, _ reason: JobReason, _ cause: String?) {
    if job.isTerminal { return }
    if job.state == .running {
      if job.stop != .none { return }
      job.stop = reason
      job.stopAt = now
    } else {
      end(job, .cancelled, reason, cause)
    }
  }

  private func beginStop(_ mode: Scheduler.StopMode, _ cause: String?) {
    if stopReason == .none {
      stopReason = .stop
      stopCause = cause
    }
    for job in jobs where !job.isTerminal {
      let isSpared =
        job.spec.when != .success && (job.attempts == 0 || job.state == .running)
      if isSpared || job.state == .running && mode == .soft { continue }
      stop(job, .stop, cause)
    }
  }

  private var stopIsDue: String?

  private func end(_ job: Job, _ state: JobState, _ reason: JobReason, _ cause: String?) {
    job.state = state
    job.reason = reason
    job.cause = cause
    ends += 1
    job.ended = ends
    guard state == .failed || state == .timeout, !job.spec.allowsFailure else { return }
    failures += 1
    if options.maxFailures > 0 && failures >= options.maxFailures && stopReason == .none {
      stopIsDue = job.spec.id
    }
  }

  private func needs(_ job: Job) -> [Job] { job.spec.dependencies.map { self.job($0) } }
  private func isBad(_ job: Job) -> Bool {
    job.isTerminal && !job.isGood && !job.spec.allowsFailure
  }

  // MARK: What follows

  private func tellAll() {
    while true {
      if let ended = jobs.filter({ $0.isTerminal && !$0.isTold }).min(by: { $0.ended < $1.ended }) {
        ended.isTold = true
        for job in jobs where !job.isTerminal && job.spec.dependencies.contains(ended.spec.id) {
          if job.spec.when == .success {
            if isBad(ended) {
              end(job, .cancelled, .dependency, ended.spec.id)
              continue
            }
          }
          wakeIfComplete(job)
        }
      } else if let cause = stopIsDue {
        stopIsDue = nil
        beginStop(options.stopsNow ? .now : .soft, cause)
      } else {
        return
      }
    }
  }

  private func wakeIfComplete(_ job: Job) {
    guard job.state == .waiting, job.retryAt == nil, needs(job).allSatisfy({ $0.isTold }) else {
      return
    }
    if job.spec.when == .failure && !needs(job).contains(where: { !$0.isGood }) {
      end(job, .skipped, .filtered, nil)
    } else {
      job.state = .ready
      job.readySince = now
    }
  }

  private func settle() {
    for job in jobs { wakeIfComplete(job) }
    tellAll()
    admit()
  }

  // MARK: Starts

  private func isBefore(_ one: Job, _ other: Job) -> Bool {
    func priority(_ job: Job) -> Int64 {
      guard options.usesPriorities else { return 0 }
      let points = options.aging == 0 ? 0 : now / options.aging - job.readySince / options.aging
      return Int64(job.spec.priority) + points
    }
    if priority(one) != priority(other) { return priority(one) > priority(other) }
    return one.order < other.order
  }

  private func isIO(_ job: Job) -> Bool { job.spec.hint.isIO && options.limits.ioSlots > 0 }

  /// What a job would need more of than there is: "cpu", "io", "memory", names of pools.
  private func lacks(_ job: Job) -> Set<String> {
    let holders = jobs.filter { $0.holds }
    var lacks: Set<String> = []
    let slots = holders.filter { isIO($0) == isIO(job) }.reduce(0) { $0 + $1.spec.cpus }
    if slots + job.spec.cpus > (isIO(job) ? options.limits.ioSlots : options.limits.slots) {
      lacks.insert(isIO(job) ? "io" : "cpu")
    }
    let memory = holders.reduce(0) { $0 + $1.spec.memory }
    if options.limits.memory > 0 && memory + job.spec.memory > options.limits.memory {
      lacks.insert("memory")
    }
    for request in job.spec.pools {
      let used = holders.flatMap { $0.spec.pools }.filter { $0.name == request.name }
        .reduce(0) { $0 + $1.count }
      let size = options.limits.pools.first { $0.name == request.name }!.count
      if used + request.count > size { lacks.insert("pool " + request.name) }
    }
    return lacks
  }

  private func uses(_ job: Job) -> Set<String> {
    var uses: Set<String> = [isIO(job) ? "io" : "cpu"]
    if job.spec.memory > 0 { uses.insert("memory") }
    for request in job.spec.pools { uses.insert("pool " + request.name) }
    return uses
  }

  private func admit() {
    while true {
      let ready = jobs.filter { $0.state == .ready }.sorted { isBefore($0, $1) }
      guard let first = ready.first else { return }
      let missing = lacks(first)
      if missing.isEmpty {
        begin(first)
        continue
      }
      let isHeld = first.bypassed >= options.bypassLimit
      let next = ready.dropFirst().first { job in
        lacks(job).isEmpty && !(isHeld && !uses(job).isDisjoint(with: missing))
      }
      guard let next else { return }
      first.bypassed += 1
      begin(next)
    }
  }

  private func begin(_ job: Job) {
    job.state = .running
    job.attempts += 1
    if job.attempts == 1 { job.firstStart = now }
    job.start = now
    job.stop = .none
    starts.append(job.spec.id)
  }

  /// From the root cause to the job.
  func chain(_ id: String) -> [String] {
    var chain = [id]
    while let cause = job(chain[0]).cause { chain.insert(cause, at: 0) }
    return chain
  }
}
