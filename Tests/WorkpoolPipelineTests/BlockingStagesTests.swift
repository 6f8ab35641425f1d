// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// Stages that may block, and the further workers that work meanwhile.
  @Suite struct BlockingStagesTests {
    static func pool(_ workers: Int, extra: Int, most: Int = 0, host: Int = 0) throws -> Pool {
      var options = Pool.Options()
      options.workers = workers
      options.blockingExtra = extra
      options.maxWorkers = most
      options.hostWorkers = host
      return try Pool(options)
    }

    static func mayBlock(_ stage: Stage) -> Stage {
      var stage = stage
      stage.mayBlock = true
      return stage
    }

    @Test(
      "a source that blocks until a stage has had its block goes on: one further worker is enough")
    func source() throws {
      let pool = try Self.pool(1, extra: 1)
      for _ in 0..<TestScale.scaled(100) {
        let isDone = (0..<5).map { _ in Gate() }
        // Block n waits in the stage until the source is called again.
        let isCalled = (0..<6).map { _ in Gate() }
        let calls = Self.mayBlock(
          .block("waits") { block in
            isCalled[Int(block.pointee.number) + 1].pass("the next call of the source")
            isDone[Int(block.pointee.number)].open()
            return 0
          })
        let source = Self.mayBlock(
          .closure("source", .serial) { block, _, _ in
            let number = Int(block.pointee.number)
            isCalled[number].open()
            if number > 0 { isDone[number - 1].pass("block \(number - 1)") }
            return number == 5 ? StageReturn.sourceEnd : 0
          })
        let pipeline = try Pipeline(1, on: pool, limit: 4, source: source, [calls])
        #expect(try pipeline.runToEnd("source") == .ok)
        try pipeline.destroy()
      }
      try pool.close()
    }

    @Test(
      "as many calls block at once as there are workers and further ones",
      arguments: [(1, 1), (1, 4), (2, 2), (3, 8), (8, 56)])
    func asMany(workers: Int, extra: Int) throws {
      let pool = try Self.pool(workers, extra: extra)
      let all = workers + extra
      for kind in [StageKind.parallel, .splitter] {
        let gate = Gate(opensAt: all)
        let (blocked, inside) = (Tally(), Tally())
        var stages = [
          Self.mayBlock(
            .block("blocks") { _ in
              blocked.add()
              gate.pass("all \(all)")
              blocked.add(-1)
              return 0
            }),
          Stage.block("works") { _ in
            inside.add()
            wpl_yield()
            inside.add(-1)
            return 0
          },
        ]
        if kind == .splitter {
          stages.append(.splitter { input, _ in input == nil ? StageReturn.drop : 0 })
          stages.append(.block("behind") { _ in 0 })
        }
        let pipeline = try Pipeline(
          workers, on: pool, limit: all + 3, source: .source(UInt64(4 * all)), stages)
        #expect(try pipeline.runToEnd("\(kind)") == .ok)
        #expect(blocked.peak == all)
        #expect(inside.peak <= all)
        #expect(try pipeline.result().delivered == UInt64(4 * all))
        try pipeline.destroy()
      }
      try pool.close()
    }

    @Test(
      "no more callbacks that do not block run at once than there are workers, while others block",
      arguments: [1, 2, 3])
    func others(workers: Int) throws {
      let pool = try Self.pool(workers, extra: 4)
      let (isFull, mayEnd) = (Gate(opensAt: workers), Gate())
      // All workers sit here until the other pipeline has run.
      let blocking = try Pipeline(
        workers, on: pool, source: .source(UInt64(workers)),
        [
          Self.mayBlock(
            .block("blocks") { _ in
              isFull.pass("all workers")
              mayEnd.pass("the other pipeline")
              return 0
            })
        ])
      try blocking.start()
      isFull.waitForArrivals(workers)
      let inside = Tally()
      let other = try Pipeline(
        workers, on: pool, limit: 32, source: .source(300),
        [
          .block("works") { _ in
            inside.add()
            wpl_yield()
            inside.add(-1)
            return 0
          }
        ])
      #expect(try other.runToEnd("the other one") == .ok)
      #expect(inside.peak <= min(workers, 4))
      mayEnd.open()
      #expect(try blocking.end() == .ok)
      try other.destroy()
      try blocking.destroy()
      try pool.close()
    }

    @Test("a callback that blocks and runs another pipeline: nobody is lost", arguments: [0, 1, 2])
    func nested(host: Int) throws {
      let pool = try Self.pool(2, extra: 2, host: host)
      for _ in 0..<TestScale.scaled(20) {
        let done = Tally()
        let outer = try Pipeline(
          2, on: pool, limit: 6, source: Self.mayBlock(.source(12)),
          [
            Self.mayBlock(
              .block { _ in
                guard
                  let inner = try? Pipeline(
                    2, on: pool, source: .source(30),
                    [Self.mayBlock(.block { _ in done.add() > 0 ? 0 : -1 })])
                else { return -1 }
                let status = try? inner.run()
                try? inner.destroy()
                return status == .ok ? 0 : -1
              })
          ])
        #expect(try outer.run() == .ok)
        #expect(done.value == 360)
        try outer.destroy()
      }
      try pool.close()
    }

    @Test("the outcome is the serial one with further workers and changing numbers of them")
    func differential() throws {
      let pool = try Self.pool(2, extra: 3, most: 5)
      let isOver = Atomic<Bool>(false)
      let changer = Threads(1) { _ in
        var random = SeededRandom(seed: 11)
        while !isOver.load(ordering: .relaxed) {
          if (try? pool.setWorkers(1 + random.below(5))) == nil { fatalError("refused") }
          for _ in 0..<random.below(3000) { wpl_pause() }
        }
      }
      for seed in SeededRandom.seeds(TestScale.scaled(200)) {
        var random = SeededRandom(seed: seed)
        let plan = SplitterRandomTests.Plan(&random, seed: seed)
        let label = "seed \(seed): \(plan)"
        let reference = try SplitterRandomTests.run(plan, workers: 0, label: label + " serial")
        let outcome = try SplitterRandomTests.run(plan, workers: 2, on: pool, label: label)
        #expect(outcome == reference, "\(label)")
      }
      isOver.store(true, ordering: .relaxed)
      changer.join()
      try pool.close()
    }
  }
}
