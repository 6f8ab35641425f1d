// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct StoppingTests {
  @Test(
    "a soft stop lets running jobs finish and links the others to its cause; now ends those too")
  func stopOnFailure() throws {
    for isNow in [false, true] {
      var bench = Bench(slots: 2) {
        $0.maxFailures = 1
        $0.stopsNow = isNow
      }
      try bench.submit(job("bad"), job("slow"), job("third"), job("child", after: ["bad"]))
      bench.fail("bad")
      #expect(bench.view("third").reason == .stop && bench.chain("third") == ["bad", "third"])
      #expect(bench.view("child").reason == .dependency)
      bench.finish("slow", isNow ? JobOutcome(.cancelled) : .completed)
      #expect(bench.state("slow") == (isNow ? .cancelled : .completed))
    }
  }

  @Test("the stop comes at the N-th failure after its retries")
  func maxFailures() throws {
    var bench = Bench(slots: 1) { $0.maxFailures = 3 }
    try bench.submit((0..<10).map { job("j\($0)") })
    for place in 0..<3 { bench.fail("j\(place)") }
    #expect(bench.starts == ["j0", "j1", "j2"])
    #expect(bench.scheduler.count(.cancelled) == 7)
  }

  @Test("jobs that run always run after a stop and a first interrupt, not after a second one")
  func always() throws {
    func specs() -> [JobSpec] {
      [job("a"), job("b", after: ["a"]), job("always", after: ["b"]) { $0.when = .always }]
    }
    var bench = Bench()
    try bench.submit(specs())
    bench.act { $0.interrupt(at: $1) }
    #expect(bench.view("b").reason == .user)
    bench.finish("a", JobOutcome(.cancelled))
    #expect(bench.state("always") == .running)
    bench.finish("always")
    #expect(bench.state("always") == .completed)

    var twice = Bench()
    try twice.submit(specs())
    twice.act { $0.interrupt(at: $1) }
    twice.act { $0.interrupt(at: $1) }
    #expect(twice.state("always") == .cancelled)
    let kills = twice.actions.filter { if case .kill = $0 { true } else { false } }
    #expect(kills.count == 1)
  }

  @Test("after a stop new jobs are cancelled, and nothing is tried again")
  func afterStop() throws {
    var bench = Bench(slots: 1)
    try bench.submit(job("a") { $0.retry.maxRetries = 3 })
    bench.act { $0.stop(.soft, at: $1) }
    try bench.submit(job("b"))
    #expect(bench.view("b").reason == .stop)
    bench.fail("a")
    #expect(bench.state("a") == .failed)
  }

  @Test("a shutdown cancels what waits, lets jobs run for its time, then stops them")
  func shutdown() throws {
    var bench = Bench(slots: 1)
    try bench.submit(job("a"), job("b"), job("c", after: ["b"]) { $0.when = .always })
    bench.act { $0.shutdown(limit: 50, at: $1) }
    #expect(bench.view("b").reason == .shutdown && bench.view("c").reason == .shutdown)
    #expect(
      refusal { () throws(WorkpoolError) in try bench.submit(job("d")) }?.status == .shutDown)
    bench.wait(until: 50)
    bench.finish("a", JobOutcome(.cancelled))
    #expect(bench.view("a").reason == .shutdown)
    #expect(bench.events.last?.kind == .runFinished)
    bench.act { $0.shutdown(limit: 0, at: $1) }
    #expect(bench.events.filter { $0.kind == .runFinished }.count == 1)
  }

  @Test("the deadline of the run ends everything, also what would run always")
  func runDeadline() throws {
    var bench = Bench(slots: 1) { $0.runDeadline = 100 }
    try bench.submit(job("a"), job("b", after: ["a"]) { $0.when = .always })
    bench.wait(until: 100)
    #expect(bench.view("b").reason == .runDeadline)
    bench.finish("a", JobOutcome(.cancelled))
    #expect(bench.view("a").reason == .runDeadline)
  }

  @Test("a cancel of everything concerns what is there, not what comes")
  func cancelAll() throws {
    var bench = Bench(slots: 1)
    try bench.submit(job("a"), job("b"), job("c", after: ["b"]))
    bench.act { $0.cancelAll(at: $1) }
    for id in ["b", "c"] { #expect(bench.view(id).reason == .user) }
    bench.finish("a", JobOutcome(.cancelled))
    try bench.submit(job("d"))
    #expect(bench.state("d") == .running)
  }

  @Test("a command that outlives its grace is killed, and stays running until it ends")
  func kill() throws {
    var bench = Bench()
    try bench.submit(
      job("a") {
        $0.kind = .command
        $0.grace = 5
      })
    bench.act { $0.cancel($0.find("a")!, at: $1) }
    bench.wait(until: 5)
    #expect(bench.state("a") == .running && bench.scheduler.nextDue == nil)
    guard case .kill = bench.actions.last else {
      Issue.record("not killed")
      return
    }
    var killed = JobOutcome(.signal, 9)
    killed.wasSignalled = true
    bench.finish("a", killed)
    #expect(bench.view("a").reason == .user)
  }
}
