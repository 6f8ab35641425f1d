// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

/// Threads that a seed holds up where their order matters, and waits that return without reason. A
/// failure names its seed: `WORKPOOL_SEED=… swift test --filter ScheduleTests` runs that one alone, with
/// the same decisions as far as threads come to them in the same order.
extension EngineTests {
  @Suite struct ScheduleTests {
    static func underSeeds(_ count: Int, _ body: (inout SeededRandom, String) throws -> Void) throws
    {
      defer { wpl_schedule(0) }
      for seed in SeededRandom.seeds(TestScale.scaled(count)) {
        var random = SeededRandom(seed: seed)
        wpl_schedule(seed | 1)
        try body(&random, "seed \(seed)")
      }
    }

    @Test("random pipelines come to the serial outcome under every schedule")
    func differential() throws {
      try Self.underSeeds(100) { random, seed in
        let plan = SerialRunTests.Plan(&random)
        let label = "\(seed): \(plan)"
        let reference = try SerialRunTests.run(plan, workers: 0, label: label + " serial")
        let workers = random.pick([2, 3, 8])
        let outcome = try SerialRunTests.run(plan, workers: workers, label: "\(label) \(workers)")
        #expect(outcome == reference, "\(label) \(workers) workers")
      }
    }

    @Test("what several threads submit is read in order under every schedule")
    func submitAndRead() throws {
      try Self.underSeeds(60) { random, seed in
        let count = UInt64(random.below(200))
        let timeout: Int64 = random.pick([-1, 0, 50_000])
        let limit = random.pick([1, 2, 5, 30])
        let pipeline = try Pipeline(
          random.pick([1, 2, 3, 8]), limit: limit,
          [.block("", random.pick([.parallel, .serialAnyOrder])) { _ in 0 }, .block { _ in 0 }]
        ) {
          $0.pullsResults = true
          $0.readerIsAnotherThread = true
        }
        try pipeline.start()
        let numbers = Log<UInt64>()
        let words = Log<UInt64>()
        let reader = Threads(1) { _ in
          while let (status, result) = try? pipeline.nextResult(timeout: timeout) {
            if let result {
              numbers.append(result.block.pointee.number)
              words.append(result.block.pointee.meta.0)
              result.release()
            } else if status != .wouldBlock && status != .timedOut {
              if status != .end { fatalError("\(seed): \(status)") }
              return
            }
          }
        }
        Threads(3) { thread in
          for word in stride(from: UInt64(thread), to: count, by: 3) {
            while true {
              let status = try? pipeline.submit(Submission(word), timeout: timeout)
              if status == .ok { break }
              if status != .wouldBlock && status != .timedOut {
                fatalError("\(seed): \(String(describing: status))")
              }
            }
          }
        }.join()
        try pipeline.close()
        reader.join()
        #expect(try pipeline.end(seed) == .ok)
        #expect(numbers.all == Array(0..<count), "\(seed)")
        #expect(words.all.sorted() == Array(0..<count), "\(seed)")
        try pipeline.destroy()
      }
    }

    @Test("what a cancel leaves delivered is a prefix under every schedule")
    func cancelled() throws {
      try Self.underSeeds(80) { random, seed in
        let payloads = Payloads()
        let attached = Tally()
        let delivered = Log<UInt64>()
        let stages = (0..<random.below(8)).map { _ in
          Stage.block("", random.pick([.parallel, .parallel, .serial, .serialAnyOrder])) { _ in 0 }
        }
        let source = Stage.block("source", .serial) { block in
          payloads.attach(block.pointee.number, to: block)
          attached.add()
          return 0
        }
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(
          random.pick([2, 3, 8]), limit: random.pick([2, 7, 20]), source: source, stages, sink: sink
        )
        try pipeline.start()
        for _ in 0..<random.below(400) { wpl_yield() }
        try pipeline.cancel()
        #expect(try pipeline.end(seed) == .cancelled)
        #expect(delivered.all == Array(0..<UInt64(delivered.count)), "\(seed)")
        #expect(payloads.releases == attached.value && payloads.isEachOnce, "\(seed)")
        try pipeline.destroy()
      }
    }

    @Test("numbered blocks from several threads arrive in order under every schedule")
    func numbered() throws {
      try Self.underSeeds(60) { random, seed in
        let count = UInt64(random.below(150))
        let limit = random.pick([1, 3, 16])
        let delivered = Log<UInt64>()
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(
          random.pick([1, 2, 8]), limit: limit,
          [.block { _ in 0 }, .block("", .serial) { _ in 0 }],
          sink: sink)
        try pipeline.start()
        Threads(4) { thread in
          for number in stride(from: UInt64(thread), to: count, by: 4) {
            let isHole = number % 5 == 3
            let status = try? pipeline.submit(number: number, isHole ? nil : Submission(number))
            if status != .ok { fatalError("\(seed): \(String(describing: status))") }
          }
        }.join()
        #expect(try pipeline.flush() == .ok)
        #expect(delivered.all == (0..<count).filter { $0 % 5 != 3 }, "\(seed)")
        try pipeline.close()
        #expect(try pipeline.end(seed) == .ok)
        try pipeline.destroy()
      }
    }
  }
}
