// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

/// Random graphs, the scheduler beside its reference: after every input the same starts in the same
/// order and the same states, at the end the same chains.
@Suite struct ReferenceTests {
  struct Random {
    var state: UInt64
    mutating func next(_ bound: Int) -> Int {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
      return Int((mixed ^ mixed >> 31) >> 1) % bound
    }
    mutating func chance(_ percent: Int) -> Bool { next(100) < percent }
  }

  static func options(_ random: inout Random) -> Scheduler.Options {
    var options = Scheduler.Options()
    options.limits.slots = 1 + random.next(3)
    if random.chance(30) { options.limits.ioSlots = 1 + random.next(2) }
    if random.chance(50) { options.limits.memory = 100 }
    if random.chance(50) { options.limits.pools = [JobSpec.PoolRequest("net", 1 + random.next(2))] }
    options.usesPriorities = random.chance(80)
    options.aging = random.chance(25) ? 7 : 0
    options.bypassLimit = random.next(4)
    options.maxFailures = random.chance(30) ? 1 + random.next(2) : 0
    options.stopsNow = random.chance(50)
    options.grace = 4
    return options
  }

  static func job(_ place: Int, _ options: Scheduler.Options, _ random: inout Random) -> JobSpec {
    var spec = JobSpec("j\(place)")
    for _ in 0..<random.next(4) where place > 0 {
      let need = "j\(random.next(place))"
      if !spec.dependencies.contains(need) { spec.dependencies.append(need) }
    }
    spec.when = random.chance(80) ? .success : random.chance(50) ? .always : .failure
    spec.allowsFailure = random.chance(15)
    spec.priority = random.chance(40) ? Int32(random.next(5)) - 2 : 0
    spec.cpus = 1 + random.next(min(2, options.limits.slots))
    if random.chance(30) {
      spec.hint = .lightIO
      if options.limits.ioSlots > 0 { spec.cpus = 1 }
    }
    if options.limits.memory > 0 && random.chance(60) { spec.memory = UInt64(random.next(101)) }
    if !options.limits.pools.isEmpty && random.chance(40) {
      spec.pools = [JobSpec.PoolRequest("net")]
    }
    if random.chance(40) {
      spec.retry.maxRetries = 1 + random.next(2)
      spec.retry.delay = Int64(random.next(3)) * 5
      spec.retry.factor = random.chance(50) ? 2 : 1
      spec.retry.maxDelay = 15
    }
    if random.chance(50) { spec.timeout = Int64(5 + random.next(20)) }
    if random.chance(30) { spec.deadline = Int64(10 + random.next(30)) }
    if random.chance(30) { spec.grace = Int64(random.next(6)) }
    return spec
  }

  /// - Returns: what differs; nil: nothing. And how many inputs there were.
  static func compare(seed: UInt64) -> (difference: String?, inputs: Int) {
    var random = Random(state: seed)
    let options = options(&random)
    var scheduler = Scheduler(options)
    scheduler.eventMask = JobEvent.all
    let reference = ReferenceScheduler(options)
    var log = InvariantLog(options.limits)
    var handles: [JobHandle] = []
    var starts: [String] = []
    var now: Int64 = 0
    var inputs = 0
    let total = 1 + random.next(14)

    func submitSome() -> String? {
      let specs = (0..<min(total - handles.count, 1 + random.next(5))).map {
        job(handles.count + $0, options, &random)
      }
      log.add(specs)
      do throws(WorkpoolError) {
        handles += try scheduler.submit(specs, at: now)
      } catch {
        return error.text
      }
      reference.submit(specs)
      return nil
    }

    while true {
      inputs += 1
      let running = handles.filter {
        scheduler.state($0) == .running || scheduler.view($0)?.isStillRunning == true
      }
      let due = scheduler.nextDue
      if due != reference.nextDue() {
        return ("next time \(due ?? -1), \(reference.nextDue() ?? -1)", inputs)
      }
      let choice = random.next(100)
      if handles.count < total && (choice < 25 || running.isEmpty && due == nil) {
        if let refusal = submitSome() { return (refusal, inputs) }
      } else if !handles.isEmpty && choice < 30 {
        let job = handles[random.next(handles.count)]
        scheduler.cancel(job, at: now)
        reference.cancel(scheduler.view(job)!.spec.id)
      } else if choice < 32 && random.chance(25) {
        let mode: Scheduler.StopMode = random.chance(50) ? .soft : .now
        scheduler.stop(mode, at: now)
        reference.stopAll(mode)
      } else if !running.isEmpty && (choice < 75 || due == nil) {
        let job = running[random.next(running.count)]
        let outcome = random.chance(65) ? JobOutcome.completed : JobOutcome(.exit, 3)
        reference.finish(scheduler.view(job)!.spec.id, outcome)
        scheduler.finish(job, outcome, at: now)
      } else if let due {
        now = max(now, random.chance(70) ? due : min(due, now + Int64(random.next(8))))
        scheduler.tick(at: now)
        reference.advance(to: now)
      } else if handles.count == total {
        break
      }
      for action in scheduler.takeActions() {
        if case .start(let job, _, _) = action { starts.append(scheduler.view(job)!.spec.id) }
      }
      log.read(scheduler.takeEvents())
      if let violation = log.violation { return (violation, inputs) }
      if starts != reference.starts { return ("starts \(starts), \(reference.starts)", inputs) }
      for job in handles {
        let view = scheduler.view(job)!
        let other = reference.job(view.spec.id)
        if view.state != other.state || view.reason != other.reason {
          return (
            "\(view.spec.id) is \(view.state) \(view.reason), \(other.state) \(other.reason)",
            inputs
          )
        }
      }
    }
    log.finish(accepted: total)
    if let violation = log.violation { return (violation, inputs) }
    for job in handles {
      let chain = scheduler.causes(job).map { scheduler.view($0)!.spec.id }
      if chain != reference.chain(chain.last!) { return ("chain \(chain)", inputs) }
    }
    return (nil, inputs)
  }

  @Test("10,000 random graphs with failures, timeouts, retries and cancels go as in the reference")
  func randomGraphs() {
    var inputs = 0
    for seed in UInt64(1)...10_000 {
      let (difference, count) = Self.compare(seed: seed)
      inputs += count
      if let difference {
        Issue.record("seed \(seed), input \(count): \(difference)")
        return
      }
    }
    print("reference: seeds 1 to 10000, \(inputs) inputs")
  }
}
