// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct AdmissionTests {
  @Test("a job that finds too little memory waits, a smaller one starts past it")
  func memory() throws {
    var bench = Bench(slots: 3) { $0.limits.memory = 2048 }
    try bench.submit(job("big") { $0.memory = 2000 })
    try bench.submit(job("hundred") { $0.memory = 100 }, job("small") { $0.memory = 48 })
    #expect(bench.starts == ["big", "small"])
    bench.finish("big")
    #expect(bench.starts == ["big", "small", "hundred"])
  }

  @Test("at most K jobs start past the first one; what takes nothing it lacks goes on")
  func bypasses() throws {
    var bench = Bench(slots: 3) {
      $0.limits.pools = [JobSpec.PoolRequest("net", 2)]
      $0.bypassLimit = 2
    }
    func net(_ id: String, _ count: Int) -> JobSpec { job(id) { $0.pools = [.init("net", count)] } }
    try bench.submit(net("holder", 1), net("first", 2), net("p1", 1), net("p2", 1), net("p3", 1))
    #expect(bench.starts == ["holder", "p1"])
    bench.finish("p1")
    #expect(bench.starts == ["holder", "p1", "p2"])
    bench.finish("p2")
    // The third would be one too many.
    #expect(bench.starts == ["holder", "p1", "p2"])
    try bench.submit(job("other"))
    #expect(bench.starts == ["holder", "p1", "p2", "other"])
    bench.finish("holder")
    bench.finish("first")
    #expect(bench.starts == ["holder", "p1", "p2", "other", "first", "p3"])
  }

  @Test("I/O jobs have slots of their own, or share")
  func ioSlots() throws {
    func io(_ id: String) -> JobSpec { job(id) { $0.hint = .lightIO } }
    var bench = Bench(slots: 1) { $0.limits.ioSlots = 2 }
    try bench.submit(job("c1"), job("c2"), io("i1"), io("i2"), io("i3"))
    #expect(bench.starts == ["c1", "i1", "i2"])
    // No two that run at once have the same number.
    for (place, id) in ["c1", "i1", "i2"].enumerated() {
      #expect(bench.scheduler.attempts(bench.job(id)).map { $0.slot } == [Int32(place)])
    }
    var shared = Bench(slots: 1)
    try shared.submit(job("c1"), io("i1"))
    #expect(shared.starts == ["c1"])
  }

  @Test("heavy jobs are limited by the pools of their hints")
  func heavy() throws {
    var bench = Bench(slots: 4) { $0.limits.heavyCPU = 1 }
    try bench.submit((0..<3).map { place in job("h\(place)") { $0.hint = .heavyCPU } })
    #expect(bench.starts == ["h0"])
    // Half the slots that I/O jobs may use.
    try bench.submit((0..<3).map { place in job("i\(place)") { $0.hint = .heavyIO } })
    #expect(bench.starts == ["h0", "i0", "i1"])
  }

  @Test("a job of several slots gets them together")
  func cpus() throws {
    var bench = Bench(slots: 3)
    try bench.submit(job("a"), job("b"), job("wide") { $0.cpus = 2 }, job("c"))
    #expect(bench.starts == ["a", "b", "c"])
    bench.finish("a")
    #expect(bench.state("wide") == .ready)
    bench.finish("c")
    #expect(bench.state("wide") == .running)
  }

  @Test("limits change while jobs run; a queued job keeps them from falling below its request")
  func limits() throws {
    var bench = Bench(slots: 1)
    try bench.submit((0..<4).map { job("j\($0)") })
    var limits = bench.scheduler.options.limits
    limits.slots = 3
    try bench.act { try $0.setLimits(limits, at: $1) }
    #expect(bench.starts == ["j0", "j1", "j2"])
    limits.slots = 1
    try bench.act { try $0.setLimits(limits, at: $1) }
    bench.finish("j0")
    bench.finish("j1")
    #expect(bench.starts.count == 3)
    bench.finish("j2")
    #expect(bench.starts.count == 4)
    limits.slots = 2
    try bench.act { try $0.setLimits(limits, at: $1) }
    try bench.submit(job("wide") { $0.cpus = 2 })
    limits.slots = 1
    let error = refusal { () throws(WorkpoolError) in
      try bench.scheduler.setLimits(limits, at: 0)
    }
    #expect(error?.status == .unsatisfiable)
  }

  @Test("a job that waits lends its slot to what it waits for")
  func helping() throws {
    var bench = Bench(slots: 1)
    try bench.submit(job("waiter"), job("other"), job("need"), job("target", after: ["need"]))
    let helped = bench.scheduler.startToHelp(
      bench.job("waiter"), awaited: bench.job("target"), at: 0)
    bench.collect()
    #expect(helped && bench.starts == ["waiter", "need"])
    bench.finish("need")
    #expect(bench.state("target") == .ready)
    _ = bench.scheduler.startToHelp(bench.job("waiter"), awaited: bench.job("target"), at: 0)
    bench.collect()
    bench.finish("target")
    bench.finish("waiter")
    #expect(bench.starts == ["waiter", "need", "target", "other"])
  }

  @Test("paused, jobs are pending; resumed, they go on in their order")
  func pause() throws {
    var bench = Bench(slots: 1) { $0.isPaused = true }
    try bench.submit(job("a"), job("b", after: ["a"]))
    #expect(bench.state("a") == .pending && bench.state("b") == .pending)
    bench.act { $0.resume(at: $1) }
    #expect(bench.state("a") == .running && bench.state("b") == .waiting)
  }
}
