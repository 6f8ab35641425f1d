// SPDX-License-Identifier: MIT
import WorkpoolCore

@testable import WorkpoolJobs

/// A scheduler with a clock that the test moves, jobs named by their ids, and a list of starts.
struct Bench {
  var scheduler: Scheduler
  var now: Int64 = 0
  var starts: [String] = []
  var events: [JobEvent] = []
  var actions: [Scheduler.Action] = []

  init(slots: Int = 1, _ change: (inout Scheduler.Options) -> Void = { _ in }) {
    var options = Scheduler.Options()
    options.limits.slots = slots
    change(&options)
    scheduler = Scheduler(options)
    scheduler.eventMask = JobEvent.all
  }

  mutating func submit(_ specs: JobSpec..., forward: Bool = false) throws(WorkpoolError) {
    try submit(specs, forward: forward)
  }

  mutating func submit(_ specs: [JobSpec], forward: Bool = false) throws(WorkpoolError) {
    _ = try scheduler.submit(specs, allowsForward: forward, at: now)
    collect()
  }

  mutating func finish(_ id: String, _ outcome: JobOutcome = .completed) {
    scheduler.finish(job(id), outcome, at: now)
    collect()
  }

  mutating func fail(_ id: String, _ code: Int32 = 3) { finish(id, JobOutcome(.exit, code)) }

  mutating func wait(until time: Int64) {
    now = time
    scheduler.tick(at: now)
    collect()
  }

  mutating func act(_ body: (inout Scheduler, Int64) throws -> Void) rethrows {
    try body(&scheduler, now)
    collect()
  }

  mutating func collect() {
    for action in scheduler.takeActions() {
      if case .start(let job, _, _) = action { starts.append(scheduler.view(job)!.spec.id) }
      actions.append(action)
      if case .ended(let job) = action { scheduler.letGo(job) }
    }
    events += scheduler.takeEvents()
  }

  func job(_ id: String) -> JobHandle { scheduler.find(id)! }
  func view(_ id: String) -> JobView { scheduler.view(job(id))! }
  func state(_ id: String) -> JobState { view(id).state }
  func chain(_ id: String) -> [String] {
    scheduler.causes(job(id)).map { scheduler.view($0)!.spec.id }
  }
}

func job(
  _ id: String, after: [String] = [], _ change: (inout JobSpec) -> Void = { _ in }
) -> JobSpec {
  var spec = JobSpec(id)
  spec.dependencies = after
  change(&spec)
  return spec
}

/// What a call is refused with.
func refusal(_ body: () throws(WorkpoolError) -> Void) -> WorkpoolError? {
  do throws(WorkpoolError) {
    try body()
    return nil
  } catch {
    return error
  }
}
