// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct RankTests {
  /// With one slot and a job that holds it: the order in which the others start.
  private func order(
    _ specs: [JobSpec], _ change: (inout Scheduler.Options) -> Void = { _ in }
  ) throws -> [String] {
    var bench = Bench(slots: 1, change)
    try bench.submit(job("blocker"))
    try bench.submit(specs)
    bench.finish("blocker")
    while let last = bench.starts.last, bench.state(last) == .running { bench.finish(last) }
    return Array(bench.starts.dropFirst())
  }

  @Test("higher priority first; equal ones in the order of submission; or all so")
  func priority() throws {
    let specs = [
      job("low") { $0.priority = -10 }, job("normal"), job("high") { $0.priority = 10 },
      job("critical") { $0.priority = 100 },
    ]
    #expect(try order(specs) == ["critical", "high", "normal", "low"])
    #expect(
      try order(specs) { $0.usesPriorities = false } == ["low", "normal", "high", "critical"])
    let equal = (0..<1000).map { job("j\($0)") }
    #expect(try order(equal) == equal.map { $0.id })
  }

  @Test("root, its children, theirs: in the order of submission with two slots")
  func tree() throws {
    var bench = Bench(slots: 2)
    try bench.submit(
      job("root"), job("c1", after: ["root"]), job("c2", after: ["root"]),
      job("g1", after: ["c1"]), job("g2", after: ["c1"]), job("g3", after: ["c2"]))
    for id in ["root", "c1", "c2", "g1", "g2", "g3"] { bench.finish(id) }
    #expect(bench.starts == ["root", "c1", "c2", "g1", "g2", "g3"])
  }

  @Test("of equal priority the deeper one first, if so wished")
  func depth() throws {
    let specs = [job("a"), job("b"), job("c", after: ["a"]), job("d", after: ["c"])]
    #expect(try order(specs) { $0.isDepthFirst = true } == ["a", "c", "d", "b"])
    #expect(try order(specs) == ["a", "b", "c", "d"])
  }

  @Test("what an urgent job needs is urgent")
  func inherited() throws {
    let specs = [
      job("a"), job("b"), job("c", after: ["b"]), job("d", after: ["c"]) { $0.priority = 5 },
    ]
    #expect(try order(specs) { $0.inheritsPriority = true } == ["b", "c", "d", "a"])
  }

  @Test("of equal priority the one with the longest path to an end first")
  func criticalPath() throws {
    let specs = [
      job("short") { $0.expectedNanoseconds = 3 }, job("head") { $0.expectedNanoseconds = 1 },
      job("tail", after: ["head"]) { $0.expectedNanoseconds = 5 },
      job("middle") { $0.expectedNanoseconds = 4 },
    ]
    #expect(
      try order(specs) { $0.followsCriticalPath = true } == ["head", "tail", "middle", "short"])
  }

  @Test("a point of priority for each while that a job was ready")
  func aging() throws {
    var bench = Bench(slots: 1) { $0.aging = 10 }
    try bench.submit(job("blocker"), job("old"))
    bench.wait(until: 25)
    try bench.submit(job("high") { $0.priority = 1 }, job("higher") { $0.priority = 3 })
    for id in ["blocker", "higher", "old", "high"] { bench.finish(id) }
    #expect(bench.starts == ["blocker", "higher", "old", "high"])
  }

  @Test("a ready set gives the first that fits, whatever goes in and out")
  func readySet() {
    var nodes = [ReadySet.Node](repeating: ReadySet.Node(), count: 200)
    var set = ReadySet()
    var inside: [(rank: Rank, memory: UInt64, job: Int32)] = []
    var random = ReferenceTests.Random(state: 7)
    for _ in 0..<5000 {
      let job = Int32(random.next(200))
      if let place = inside.firstIndex(where: { $0.job == job }) {
        set.remove(job, in: &nodes)
        inside.remove(at: place)
      } else {
        let rank = Rank(priority: Int64(random.next(3)), order: UInt64(job))
        let memory = UInt64(random.next(20))
        set.insert(job, rank: rank, memory: memory, in: &nodes)
        inside.append((rank, memory, job))
      }
      let limit = UInt64(random.next(20))
      inside.sort { $0.rank < $1.rank }
      #expect(set.first(in: nodes) == inside.first?.job ?? -1)
      #expect(set.first(within: limit, in: nodes) == inside.first { $0.memory <= limit }?.job ?? -1)
    }
  }
}
