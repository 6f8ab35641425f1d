// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct WorkerCountTests {
    static func pool(_ workers: Int, most: Int, host: Int = 0) throws -> Pool {
      var options = Pool.Options()
      options.workers = workers
      options.maxWorkers = most
      options.hostWorkers = host
      return try Pool(options)
    }

    @Test("the outcome is the serial one while the number of workers changes", arguments: [8, 64])
    func differential(most: Int) throws {
      let pool = try Self.pool(2, most: most)
      let isOver = Atomic<Bool>(false)
      let changer = Threads(1) { _ in
        var random = SeededRandom(seed: 7)
        while !isOver.load(ordering: .relaxed) {
          if (try? pool.setWorkers(1 + random.below(most))) == nil { fatalError("refused") }
          for _ in 0..<random.below(3000) { wpl_pause() }
        }
      }
      for seed in SeededRandom.seeds(TestScale.scaled(150)) {
        var random = SeededRandom(seed: seed)
        let plan = SerialRunTests.Plan(&random)
        let label = "seed \(seed): \(plan)"
        let reference = try SerialRunTests.run(plan, workers: 0, label: label + " serial")
        let outcome = try SerialRunTests.run(plan, workers: 2, on: pool, label: label)
        #expect(outcome == reference, "\(label)")
      }
      isOver.store(true, ordering: .relaxed)
      changer.join()
      try pool.close()
    }

    @Test("from the next block on no more callbacks run at once than there are workers")
    func lowered() throws {
      let pool = try Self.pool(8, most: 8)
      let gate = Gate()
      let inside = Tally()
      let pipeline = try Pipeline(
        8, on: pool, limit: 32,
        source: .block("source", .serial) { $0.pointee.number == 400 ? StageReturn.sourceEnd : 0 },
        [
          .block { block in
            if block.pointee.number < 8 {
              gate.pass("lowered")
              return 0
            }
            inside.add()
            wpl_yield()
            inside.add(-1)
            return 0
          }
        ])
      try pipeline.start()
      gate.waitForArrivals(8)
      try pool.setWorkers(1)
      gate.open()
      #expect(try pipeline.end() == .ok)
      #expect(inside.peak == 1)
      #expect(try pipeline.statistics().blocksOut == 400)
      try pipeline.destroy()
      try pool.close()
    }

    @Test("a thread of the host that works along gives its seat back, and takes it again")
    func hostSeat() throws {
      let pool = try Self.pool(2, most: 2, host: 1)
      for _ in 0..<TestScale.scaled(200) {
        let seats = Log<Int32>()
        let pipeline = try Pipeline(
          2, on: pool, limit: 8,
          source: .block("source", .serial) { $0.pointee.number == 60 ? StageReturn.sourceEnd : 0 },
          [
            .block { block in
              let number = block.pointee.number
              if number == 20 && (try? pool.setWorkers(1)) == nil { return -1 }
              if number == 40 && (try? pool.setWorkers(2)) == nil { return -1 }
              seats.append(Pool.currentWorker ?? -1)
              return 0
            }
          ])
        #expect(try pipeline.run() == .ok)
        #expect(seats.count == 60 && seats.all.allSatisfy { 0...1 ~= $0 })
        try pipeline.destroy()
      }
      try pool.close()
    }

    @Test("a callback on a seat that is no more ends its wait for another pipeline first")
    func nested() throws {
      let pool = try Self.pool(3, most: 3)
      let done = Tally()
      let outer = try Pipeline(
        3, on: pool, limit: 6,
        source: .block("source", .serial) { $0.pointee.number == 12 ? StageReturn.sourceEnd : 0 },
        [
          .block { block in
            if (try? pool.setWorkers(block.pointee.number % 3 == 0 ? 1 : 3)) == nil { return -1 }
            guard
              let inner = try? Pipeline(
                3, on: pool,
                source: .block("source", .serial) {
                  $0.pointee.number == 30 ? StageReturn.sourceEnd : 0
                }, [.block { _ in done.add() > 0 ? 0 : -1 }])
            else { return -1 }
            let status = try? inner.run()
            try? inner.destroy()
            return status == .ok ? 0 : -1
          }
        ])
      #expect(try outer.runToEnd() == .ok)
      #expect(done.value == 360)
      try outer.destroy()
      try pool.close()
    }
  }
}
