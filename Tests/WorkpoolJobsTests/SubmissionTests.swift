// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct SubmissionTests {
  @Test(
    "a cycle is refused with its path, the first-declared job leading, and nothing of the group is kept"
  )
  func cycle() throws {
    var bench = Bench()
    let error = refusal { () throws(WorkpoolError) in
      try bench.submit(
        job("a", after: ["b"]), job("b", after: ["c"]), job("c", after: ["a"]), job("d"))
    }
    #expect(error?.status == .cycle)
    #expect(error?.message == "dependency cycle: a -> b -> c -> a")
    #expect(bench.scheduler.total == 0 && bench.events.isEmpty)
    #expect(
      refusal { () throws(WorkpoolError) in try bench.submit(job("a", after: ["a"])) }?.message
        == "dependency cycle: a -> a")
  }

  @Test("the submit that closes a cycle over ids that were waited for is refused")
  func forwardCycle() throws {
    var bench = Bench()
    try bench.submit(job("a", after: ["b"]), forward: true)
    try bench.submit(job("b", after: ["c"]), forward: true)
    let error = refusal { () throws(WorkpoolError) in
      try bench.submit(job("c", after: ["a"]), forward: true)
    }
    #expect(error?.message == "dependency cycle: a -> b -> c -> a")
    try bench.submit(job("c"))
    for id in ["c", "b", "a"] { bench.finish(id) }
    #expect(bench.starts == ["c", "b", "a"])
  }

  @Test("an unknown dependency is refused with both ids, or waited for if that is allowed")
  func unknown() throws {
    var bench = Bench()
    let error = refusal { () throws(WorkpoolError) in try bench.submit(job("a", after: ["zz"])) }
    #expect(error?.status == .unknownDependency)
    #expect(error?.message == "job a needs zz, which nobody has submitted")
    try bench.submit(job("a", after: ["zz"]), forward: true)
    #expect(bench.state("a") == .waiting)
    #expect(bench.scheduler.onlyUnknownIsAwaited && bench.scheduler.awaitedIDs == ["zz"])
    try bench.submit(job("zz"))
    #expect(!bench.scheduler.onlyUnknownIsAwaited)
    bench.finish("zz")
    #expect(bench.state("a") == .running)
  }

  @Test("a job that is cancelled waits for no id any more")
  func cancelledForward() throws {
    var bench = Bench()
    try bench.submit(job("a", after: ["zz"]), forward: true)
    bench.act { $0.cancel($0.find("a")!, at: $1) }
    #expect(bench.scheduler.awaitedIDs.isEmpty)
    try bench.submit(job("zz"))
    bench.finish("zz")
    #expect(bench.starts == ["zz"])
  }

  @Test("an id twice is refused, in a group and later; a dependency twice counts once")
  func duplicates() throws {
    var bench = Bench()
    #expect(
      refusal { () throws(WorkpoolError) in try bench.submit(job("a"), job("a")) }?.status
        == .exists)
    try bench.submit(job("a"))
    #expect(
      refusal { () throws(WorkpoolError) in try bench.submit(job("a")) }?.status == .exists)
    try bench.submit(job("b", after: ["a", "a"]))
    bench.finish("a")
    #expect(bench.state("b") == .running)
  }

  @Test("a request that can never fit is refused by name, whatever it asks for")
  func unsatisfiable() throws {
    var bench = Bench(slots: 2) {
      $0.limits.memory = 2048
      $0.limits.pools = [JobSpec.PoolRequest("net", 1)]
    }
    let wrong: [(JobSpec, String)] = [
      (job("m") { $0.memory = 4096 }, "job m asks for 4K of memory, there is 2K"),
      (job("c") { $0.cpus = 3 }, "job c asks for 3 slots, there are 2"),
      (job("p") { $0.pools = [.init("disk")] }, "job p asks for pool disk, which there is not"),
      (job("n") { $0.pools = [.init("net", 2)] }, "job n asks for 2 of pool net, there are 1"),
    ]
    for (spec, text) in wrong {
      let error = refusal { () throws(WorkpoolError) in try bench.submit(spec) }
      #expect(error?.status == .unsatisfiable)
      #expect(error?.message == text)
    }
    try bench.submit(job("fits") { $0.memory = 2048 })
    #expect(bench.starts == ["fits"])
  }

  @Test("what was asked for too much may run alone")
  func oversized() throws {
    var bench = Bench(slots: 2) {
      $0.limits.memory = 10
      $0.runsOversizedAlone = true
    }
    try bench.submit(job("a"), job("big") { $0.memory = 50 }, job("b"), job("c"))
    #expect(bench.starts == ["a", "b"])
    bench.finish("a")
    bench.finish("c")
    bench.finish("b")
    #expect(bench.starts == ["a", "b", "c", "big"])
    try bench.submit(job("d"))
    #expect(bench.state("d") == .ready)
    bench.finish("big")
    #expect(bench.state("d") == .running)
  }

  @Test("limits of queued and of all jobs")
  func limits() throws {
    var bench = Bench {
      $0.maxQueued = 2
      $0.maxJobs = 4
    }
    try bench.submit(job("a"))
    try bench.submit(job("b"), job("c"))
    #expect(
      refusal { () throws(WorkpoolError) in try bench.submit(job("d")) }?.status == .wouldBlock)
    bench.finish("a")
    try bench.submit(job("d"))
    bench.finish("b")
    #expect(
      refusal { () throws(WorkpoolError) in try bench.submit(job("e")) }?.status
        == .limitExceeded)
  }

  @Test("dependencies that have ended count at once")
  func late() throws {
    var bench = Bench()
    try bench.submit(job("good"), job("bad"))
    bench.finish("good")
    bench.fail("bad")
    try bench.submit(job("after", after: ["good"]))
    try bench.submit(
      job("cancelled", after: ["good", "bad"]),
      job("rescue", after: ["bad"]) { $0.when = .failure },
      job("idle", after: ["good"]) { $0.when = .failure })
    #expect(bench.state("after") == .running)
    #expect(bench.chain("cancelled") == ["bad", "cancelled"])
    #expect(bench.state("rescue") == .ready)
    #expect(bench.state("idle") == .skipped && bench.view("idle").reason == .filtered)
  }

  @Test("jobs without an id get one; nothing is kept of a refused group")
  func ids() throws {
    var bench = Bench(slots: 3)
    try bench.submit(JobSpec(), JobSpec("job-3"), JobSpec())
    #expect(bench.starts == ["job-1", "job-3", "job-3."])
  }

  @Test("a further dependency of a job that waits holds it back, or cancels it")
  func added() throws {
    var bench = Bench(slots: 3)
    try bench.submit(job("a"), job("b", after: ["a"]), job("new"))
    try bench.act { try $0.addDependencies(of: $0.find("b")!, ["new"], at: $1) }
    bench.finish("a")
    #expect(bench.state("b") == .waiting)
    bench.finish("new")
    #expect(bench.state("b") == .running)
    try bench.submit(job("c", after: ["b"]), job("d", after: ["c"]))
    let error = refusal { () throws(WorkpoolError) in
      try bench.scheduler.addDependencies(of: bench.job("c"), ["d"], at: 0)
    }
    #expect(error?.status == .cycle)
  }
}
