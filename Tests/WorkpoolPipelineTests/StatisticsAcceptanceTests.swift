// SPDX-License-Identifier: MIT
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore
@testable import WorkpoolPipeline

extension EngineTests {
  /// ENGINE.md §11, A17, but for what snapshots cost: that is a benchmark.
  @Suite struct StatisticsAcceptanceTests {
    /// Much work, which nothing can leave out.
    private static func burn(_ rounds: Int) -> UInt64 {
      var value: UInt64 = 1
      for round in 0..<rounds { value = value &* 6_364_136_223_846_793_005 &+ UInt64(round) }
      return value
    }

    private static func checkWorkers(_ pool: Pool) throws {
      for index in 0..<pool.workerCount {
        let worker = try pool.statistics(ofWorker: index)
        let sum =
          worker.busyNanoseconds + worker.blockedNanoseconds + worker.engineNanoseconds
          + worker.idleNanoseconds
        let error = Double(sum.distance(to: worker.wallNanoseconds).magnitude)
        #expect(error <= 0.02 * Double(worker.wallNanoseconds))
      }
    }

    @Test("the seat of a thread of the host has a meter, which runs while somebody sits there")
    func hostSeat() throws {
      var poolOptions = Pool.Options()
      poolOptions.workers = 2
      poolOptions.hostWorkers = 1
      poolOptions.blockingExtra = 1
      let pool = try Pool(poolOptions)
      func figures(_ index: Int) throws -> WorkerStatistics { try pool.statistics(ofWorker: index) }
      #expect(try (0..<3).map { try figures($0).isHostThread } == [false, true, false])
      let before = try figures(1)
      #expect(before.calls == 0 && before.busyNanoseconds == 0 && before.blockedNanoseconds == 0)
      for _ in 0..<3 {
        let gate = Gate(opensAt: 2)
        let seats = Log<Int32>()
        let pipeline = try Pipeline(
          2, on: pool, source: .source(2),
          [
            .block("meets") { _ in
              gate.pass("both workers")
              seats.append(Pool.currentWorker ?? -1)
              return Self.burn(20_000) == 0 ? StageReturn.drop : 0
            }
          ]
        ) { $0.statistics = .times }
        let (calls, busy) = (try figures(1).calls, try figures(1).busyNanoseconds)
        #expect(try pipeline.run() == .ok)
        #expect(Set(seats.all) == [0, 1])
        let after = try figures(1)
        #expect(after.calls > calls && after.busyNanoseconds > busy)
        try pipeline.destroy()
        // Nobody sits there now: only the time at rest grows.
        let (first, second) = (try figures(1), try figures(1))
        #expect(first.busyNanoseconds == second.busyNanoseconds)
        #expect(first.engineNanoseconds == second.engineNanoseconds)
      }
      try Self.checkWorkers(pool)
      try pool.close()
    }

    @Test(
      "A17: calls are blocks, times of workers add up, the slow stage is the bottleneck",
      arguments: [1, 2, 3, 8, 64], [StatisticsLevel.sampled, .times])
    func truth(workers: Int, level: StatisticsLevel) throws {
      var poolOptions = Pool.Options()
      poolOptions.workers = workers
      let pool = try Pool(poolOptions)
      var options = Pipeline.Options()
      options.maxBlocksInFlight = 16
      options.statistics = level
      let pipeline = try Pipeline(on: pool, options)
      let count = UInt64(200)
      try pipeline.setSource(.source(count))
      try pipeline.addStage(.block("parallel", .parallel) { _ in 0 })
      try pipeline.addStage(
        .block("slow", .serial) { _ in Self.burn(60_000) == 0 ? StageReturn.drop : 0 })
      try pipeline.addStage(.block("any order", .serialAnyOrder) { _ in 0 })
      try pipeline.setSink(.block("sink", .serial) { _ in 0 })
      try pipeline.start()

      var before = (calls: [UInt64](repeating: 0, count: 5), blocks: UInt64(0))
      while try pipeline.wait(timeout: 1_000_000) == .timedOut {
        let all = try pipeline.statistics()
        #expect(all.blocksIn >= before.blocks && all.blocksIn <= count)
        #expect(all.blocksOut <= count && all.inFlight <= 16 && all.inFlightMax <= 16)
        before.blocks = all.blocksIn
        for stage in 0..<5 {
          let seen = try pipeline.statistics(ofStage: stage)
          #expect(seen.calls >= before.calls[stage] && seen.calls <= count + 1)
          #expect(seen.timedCalls <= seen.calls + UInt64(workers))
          #expect(seen.parkedNow <= 16 && seen.parkedMax <= 16)
          #expect(seen.cpuNanoseconds <= seen.busyNanoseconds)
          before.calls[stage] = seen.calls
        }
        try Self.checkWorkers(pool)
      }

      let stages = try (0..<5).map { try pipeline.statistics(ofStage: $0) }
      // The source is asked once more: that call says that the input is over.
      #expect(stages.map(\.calls) == [count + 1, count, count, count, count])
      #expect(stages.map(\.blocksIn) == Array(repeating: count, count: 5))
      #expect(stages.map(\.blocksOut) == Array(repeating: count, count: 5))
      #expect(try pipeline.statistics().bottleneckStage == 2)
      try pipeline.destroy()
      try Self.checkWorkers(pool)
      var calls: UInt64 = 0
      for index in 0..<workers { calls += try pool.statistics(ofWorker: index).calls }
      #expect(calls == stages.map(\.calls).reduce(0, +))
      try pool.close()
    }

    @Test("a wait for another pipeline inside a callback is not work")
    func blocked() throws {
      let outerPool = try Pool(
        {
          var o = Pool.Options(); o.workers = 1; return o
        }())
      let innerPool = try Pool(
        {
          var o = Pool.Options(); o.workers = 1; return o
        }())
      let gate = Gate()
      let inner = try Pipeline(on: innerPool)
      try inner.setSource(.source(1))
      try inner.addStage(
        .block { _ in
          gate.pass()
          return 0
        })
      let outer = try Pipeline(on: outerPool)
      try outer.setSource(.source(1))
      try outer.addStage(.block { _ in (try? inner.wait()) == .ok ? 0 : -1 })
      try inner.start()
      gate.waitForArrivals(1)
      try outer.start()
      let deadline = Clock.now + TestScale.patienceNanoseconds
      while try outerPool.statistics(ofWorker: 0).blockedNanoseconds == 0 && Clock.now < deadline {}
      gate.open()
      #expect(try outer.end() == .ok)
      let worker = try outerPool.statistics(ofWorker: 0)
      #expect(worker.blockedNanoseconds > 0)
      try Self.checkWorkers(outerPool)
      try outer.destroy()
      try inner.destroy()
      try outerPool.close()
      try innerPool.close()
    }
  }
}
