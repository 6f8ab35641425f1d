// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

/// Every graph of up to four jobs through every order of what can happen to it.
@Suite struct EveryOrderTests {
  /// What may happen besides jobs that complete.
  struct Freedom {
    var fails = true
    var cancels = 0
    var stops = 0
    var clock = false
    var retries = 0
  }

  /// Visits every state that a scheduler can come to, depth first; copies of the value are the branches.
  struct Explorer {
    let freedom: Freedom
    var states = 0
    var ends = 0
    var violation: String?

    mutating func explore(_ specs: [JobSpec], slots: Int, maxFailures: Int = 0) {
      var options = Scheduler.Options()
      options.limits.slots = slots
      options.maxFailures = maxFailures
      var scheduler = Scheduler(options)
      scheduler.eventMask = JobEvent.all
      var log = InvariantLog(options.limits)
      log.add(specs)
      guard let jobs = try? scheduler.submit(specs, at: 0) else {
        violation = violation ?? "refused"
        return
      }
      visit(scheduler, log, jobs, specs, cancels: freedom.cancels, stops: freedom.stops)
    }

    private mutating func visit(
      _ before: Scheduler, _ logBefore: InvariantLog, _ jobs: [JobHandle], _ specs: [JobSpec],
      cancels: Int, stops: Int
    ) {
      if violation != nil { return }
      var scheduler = before
      var log = logBefore
      states += 1
      log.read(scheduler.takeEvents())
      _ = scheduler.takeActions()
      let running = jobs.filter {
        scheduler.state($0) == .running || scheduler.view($0)?.isStillRunning == true
      }
      if running.isEmpty && scheduler.nonTerminal > 0 && scheduler.nextDue == nil {
        violation = "\(scheduler.nonTerminal) jobs wait for ever"
      }
      let isOver = scheduler.nonTerminal == 0 && running.isEmpty
      if isOver {
        ends += 1
        log.finish(accepted: jobs.count)
        checkChains(scheduler, jobs)
      }
      if let broken = log.violation { violation = broken + " in " + describe(specs) }
      if violation != nil || isOver { return }

      let now = scheduler.time
      for job in running {
        for outcome in freedom.fails ? [.completed, JobOutcome(.exit, 3)] : [.completed] {
          var next = scheduler
          next.finish(job, outcome, at: now)
          visit(next, log, jobs, specs, cancels: cancels, stops: stops)
        }
      }
      if cancels > 0 {
        for job in jobs where scheduler.state(job)?.isTerminal == false {
          guard scheduler.view(job)?.wasCancelRequested == false else { continue }
          var next = scheduler
          next.cancel(job, at: now)
          visit(next, log, jobs, specs, cancels: cancels - 1, stops: stops)
        }
      }
      if stops > 0 {
        for mode in [Scheduler.StopMode.soft, .now] {
          var next = scheduler
          next.stop(mode, at: now)
          visit(next, log, jobs, specs, cancels: cancels, stops: stops - 1)
        }
        var next = scheduler
        next.shutdown(limit: 5, at: now)
        visit(next, log, jobs, specs, cancels: cancels, stops: stops - 1)
      }
      if let due = scheduler.nextDue, freedom.clock || running.isEmpty {
        var next = scheduler
        next.tick(at: due)
        visit(next, log, jobs, specs, cancels: cancels, stops: stops)
      }
    }

    /// Who was cancelled for a dependency has a chain that begins with a root cause and goes along
    /// dependencies to itself.
    private mutating func checkChains(_ scheduler: Scheduler, _ jobs: [JobHandle]) {
      for job in jobs {
        guard let view = scheduler.view(job), view.reason == .dependency else { continue }
        let chain = scheduler.causes(job).compactMap { scheduler.view($0) }
        if chain.count < 2 || chain.last?.job != job || chain[0].reason == .dependency {
          violation = "chain of \(view.spec.id)"
        }
        for (cause, effect) in zip(chain, chain.dropFirst())
        where !effect.spec.dependencies.contains(cause.spec.id) {
          violation = "chain of \(view.spec.id) leaves the graph"
        }
      }
    }

    private func describe(_ specs: [JobSpec]) -> String {
      specs.map { "\($0.id)\($0.dependencies) \($0.when)" }.joined(separator: ", ")
    }
  }

  static let names = ["a", "b", "c", "d"]

  /// All graphs of `count` jobs in which each depends on earlier ones only.
  static func graphs(_ count: Int) -> [[JobSpec]] {
    let pairs = (0..<count).flatMap { later in (0..<later).map { (later, $0) } }
    return (0..<1 << pairs.count).map { mask in
      var specs = (0..<count).map { JobSpec(names[$0]) }
      for (bit, pair) in pairs.enumerated() where mask >> bit & 1 == 1 {
        specs[pair.0].dependencies.append(names[pair.1])
      }
      return specs
    }
  }

  @Test("every graph of up to 4 jobs, 1 and 2 slots, every outcome, every order, a cancel anywhere")
  func outcomes() {
    var explorer = Explorer(freedom: Freedom(cancels: 1))
    for count in 1...4 {
      for specs in Self.graphs(count) {
        for slots in 1...2 { explorer.explore(specs, slots: slots) }
      }
    }
    print("every order: \(explorer.states) states, \(explorer.ends) ends")
    #expect(explorer.violation == nil)
  }

  @Test("every graph of up to 4 jobs with a stop at the first failure")
  func stopOnFailure() {
    var explorer = Explorer(freedom: Freedom())
    for count in 1...4 {
      for specs in Self.graphs(count) {
        for slots in 1...2 { explorer.explore(specs, slots: slots, maxFailures: 1) }
      }
    }
    print("stop on failure: \(explorer.states) states, \(explorer.ends) ends")
    #expect(explorer.violation == nil)
  }

  @Test(
    "every graph of up to 3 jobs with every condition on its dependencies, and failures allowed")
  func conditions() {
    var explorer = Explorer(freedom: Freedom(cancels: 1))
    let conditions = [JobSpec.When.success, .always, .failure]
    for count in 1...3 {
      for specs in Self.graphs(count) {
        for choice in 0..<Self.power(6, count) {
          var specs = specs
          var rest = choice
          for index in specs.indices {
            specs[index].when = conditions[rest % 3]
            specs[index].allowsFailure = rest / 3 % 2 == 1
            rest /= 6
          }
          for slots in 1...2 { explorer.explore(specs, slots: slots) }
        }
      }
    }
    print("conditions: \(explorer.states) states, \(explorer.ends) ends")
    #expect(explorer.violation == nil)
  }

  @Test(
    "every graph of up to 3 jobs with retries, limits of time, clean-ups, stops and shutdowns anywhere"
  )
  func clock() {
    var explorer = Explorer(freedom: Freedom(stops: 1, clock: true))
    for count in 1...3 {
      for specs in Self.graphs(count) {
        // Of three jobs all are tried again, or none: each for itself are millions of states more.
        for choice in count < 3 ? Array(0..<Self.power(2, count)) : [0, 7] {
          var specs = specs
          for index in specs.indices {
            specs[index].timeout = 10
            specs[index].grace = 2
            specs[index].deadline = 25
            specs[index].retry.maxRetries = choice >> index & 1
            specs[index].retry.delay = 10
          }
          for slots in 1...(choice == 7 ? 1 : 2) { explorer.explore(specs, slots: slots) }
        }
      }
    }
    print("clock: \(explorer.states) states, \(explorer.ends) ends")
    #expect(explorer.violation == nil)
  }

  static func power(_ base: Int, _ exponent: Int) -> Int {
    (0..<exponent).reduce(1) { product, _ in product * base }
  }
}
