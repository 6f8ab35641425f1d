// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct CourseTests {
  @Test("a failure cancels what depends on it, with a chain; other branches go on")
  func failure() throws {
    var bench = Bench(slots: 2)
    try bench.submit(
      job("fetch"), job("clean", after: ["fetch"]), job("load", after: ["clean"]), job("other"))
    bench.fail("fetch")
    #expect(bench.state("load") == .cancelled && bench.view("load").reason == .dependency)
    #expect(bench.chain("load") == ["fetch", "clean", "load"])
    #expect(
      bench.scheduler.causeText(bench.job("load"))
        == "cancelled: fetch failed (exit 3) → clean → load")
    let event = bench.events.last { $0.id == "load" }
    #expect(event?.root == "fetch" && event?.via == "clean" && event?.chain.count == 3)
    bench.finish("other")
    #expect(bench.state("other") == .completed)
  }

  @Test("retries wait without a slot, longer and longer, and never end up before others")
  func retries() throws {
    var bench = Bench(slots: 1)
    try bench.submit(
      job("a") {
        $0.retry.maxRetries = 3
        $0.retry.delay = 100
        $0.retry.factor = 2
      }, job("b"))
    bench.fail("a")
    #expect(bench.state("a") == .waiting && bench.state("b") == .running)
    #expect(bench.scheduler.nextDue == 100)
    bench.finish("b")
    bench.wait(until: 100)
    bench.fail("a")
    #expect(bench.scheduler.nextDue == 300)
    bench.wait(until: 300)
    bench.fail("a")
    #expect(bench.scheduler.nextDue == 700)
    bench.wait(until: 700)
    bench.fail("a")
    #expect(bench.state("a") == .failed)
    #expect(bench.scheduler.attempts(bench.job("a")).map { $0.start } == [0, 100, 300, 700])
  }

  @Test("what is never tried again")
  func finalFailures() throws {
    let outcomes = [
      JobOutcome(.exit, 126), JobOutcome(.exit, 127), JobOutcome(.spawn, 2), JobOutcome(.spawn, 13),
      JobOutcome(.cancelled),
    ]
    for outcome in outcomes {
      var bench = Bench()
      try bench.submit(job("a") { $0.retry.maxRetries = 5 })
      bench.finish("a", outcome)
      #expect(bench.state("a").isTerminal)
    }
    var bench = Bench()
    try bench.submit(
      job("a") {
        $0.retry.maxRetries = 5
        $0.retry.kinds = [.signal]
      })
    bench.finish("a", JobOutcome(.signal, 9))
    #expect(bench.state("a") == .running)
    var final = JobOutcome(.signal, 9)
    final.mayRetry = false
    bench.finish("a", final)
    #expect(bench.state("a") == .failed)
  }

  @Test("jitter adds a part of the delay, the same each time")
  func jitter() {
    var policy = RetryPolicy()
    policy.delay = 1000
    policy.jitter = 0.5
    #expect(policy.delay(before: 2, chance: 0) == 1000)
    #expect(policy.delay(before: 2, chance: 0.5) == 1250)
    policy.factor = 1e30
    policy.maxDelay = .max
    #expect(policy.delay(before: 90, chance: 0.9) > 0)
  }

  @Test("a timeout ends a callback whatever it returns; a cancel spares one that completed")
  func races() throws {
    var bench = Bench(slots: 4)
    try bench.submit(
      job("late") { $0.timeout = 10 }, job("done"), job("stopped"), job("fast") { $0.timeout = 10 })
    bench.act { $0.cancel($0.find("done")!, at: $1) }
    bench.act { $0.cancel($0.find("stopped")!, at: $1) }
    bench.finish("done")
    bench.finish("stopped", JobOutcome(.error, -1, "half way"))
    bench.finish("fast")
    bench.wait(until: 10)
    bench.finish("late")
    #expect(bench.state("done") == .completed && bench.view("done").wasCancelRequested)
    #expect(bench.state("stopped") == .cancelled && bench.view("stopped").text == "half way")
    #expect(bench.state("fast") == .completed)
    #expect(bench.state("late") == .timeout)
  }

  @Test("a command that ended before our signal ends by its exit status")
  func commandRaces() throws {
    var bench = Bench(slots: 2)
    try bench.submit(
      job("a") {
        $0.kind = .command
        $0.timeout = 10
      },
      job("b") {
        $0.kind = .command
        $0.timeout = 10
      })
    bench.wait(until: 10)
    bench.finish("a", JobOutcome(.exit, 5))
    var stopped = JobOutcome(.signal, 15)
    stopped.wasSignalled = true
    bench.finish("b", stopped)
    #expect(bench.state("a") == .failed && bench.view("a").detail == 5)
    #expect(bench.state("b") == .timeout)
  }

  @Test("who does not return within the grace is abandoned and keeps its slot until it does")
  func abandoned() throws {
    var bench = Bench(slots: 1)
    try bench.submit(
      job("stuck") {
        $0.timeout = 10
        $0.grace = 5
      }, job("next"), job("rescue", after: ["stuck"]) { $0.when = .always })
    bench.wait(until: 10)
    #expect(bench.state("stuck") == .running)
    #expect(bench.events.contains { $0.kind == .jobOverdue && $0.reason == .timeout })
    bench.wait(until: 15)
    #expect(bench.state("stuck") == .timeout && bench.view("stuck").isStillRunning)
    #expect(bench.starts == ["stuck"])
    #expect(bench.scheduler.numbers.abandonedRunning == 1)
    bench.finish("stuck")
    #expect(bench.state("stuck") == .timeout && !bench.view("stuck").isStillRunning)
    #expect(bench.events.contains { $0.kind == .jobReturned })
    #expect(bench.starts == ["stuck", "next"])
  }

  @Test("a deadline counts attempts and delays, and ends a delay")
  func deadline() throws {
    var bench = Bench()
    try bench.submit(
      job("a") {
        $0.deadline = 50
        $0.retry.maxRetries = 9
        $0.retry.delay = 40
      })
    bench.wait(until: 20)
    bench.fail("a")
    bench.wait(until: 50)
    #expect(bench.state("a") == .timeout && bench.view("a").reason == .deadline)
  }

  @Test("a clean-up comes once, and before jobs that run always or after failures")
  func cleanUp() throws {
    var bench = Bench(slots: 2)
    try bench.submit(
      job("a") { $0.cleansUp = true }, job("always", after: ["a"]) { $0.when = .always },
      job("after", after: ["a"]), job("never", after: ["after"]) { $0.cleansUp = true })
    bench.fail("a")
    #expect(bench.state("after") == .cancelled)
    #expect(bench.state("always") == .waiting)
    bench.act { $0.cleanedUp($0.find("a")!, at: $1) }
    #expect(bench.state("always") == .running)
    let cleanUps = bench.actions.filter { if case .cleanUp = $0 { true } else { false } }
    #expect(cleanUps.count == 1)
  }

  @Test("who is up to date is skipped before it starts")
  func upToDate() throws {
    var bench = Bench(slots: 1)
    try bench.submit(
      job("old") { $0.checksUpToDate = true }, job("new") { $0.checksUpToDate = true },
      job("after", after: ["old"]))
    bench.act { $0.check($0.find("old")!, isUpToDate: true, at: $1) }
    #expect(bench.view("old").reason == .upToDate && bench.state("after") == .running)
    bench.act { $0.check($0.find("new")!, isUpToDate: false, at: $1) }
    bench.finish("after")
    #expect(bench.starts == ["after", "new"])
  }

  @Test("an allowed failure lets dependents go on; order alone does so too")
  func allowed() throws {
    var bench = Bench(slots: 2) { $0.maxFailures = 1 }
    try bench.submit(
      job("a") { $0.allowsFailure = true }, job("b", after: ["a"]),
      job("c") { $0.countsForStop = false }, job("d") { $0.orderOnly = ["c"] })
    bench.fail("a")
    bench.fail("c")
    #expect(bench.state("b") == .running && bench.state("d") == .running)
  }

  @Test("finished jobs are kept up to a number, and as long as somebody links to them")
  func retention() throws {
    var bench = Bench(slots: 1) { $0.retainFinished = 2 }
    try bench.submit((0..<5).map { job("j\($0)") })
    for place in 0..<5 { bench.finish("j\(place)") }
    #expect(bench.scheduler.find("j2") == nil && bench.scheduler.find("j3") != nil)
    #expect(bench.scheduler.total == 2)
    var linked = Bench(slots: 1)
    try linked.submit(job("root"), job("leaf", after: ["root"]))
    linked.fail("root")
    try linked.act { scheduler, _ in try scheduler.release(scheduler.find("root")!) }
    #expect(linked.chain("leaf") == ["root", "leaf"])
    try linked.act { scheduler, _ in try scheduler.release(scheduler.find("leaf")!) }
    #expect(linked.scheduler.total == 0)
    try linked.submit(job("root"))
    #expect(linked.starts == ["root", "root"])
  }
}
