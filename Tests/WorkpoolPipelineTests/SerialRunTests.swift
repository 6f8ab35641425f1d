// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

/// Random pipelines against the serial reference. A failure names its seed: `WORKPOOL_SEED=… swift
/// test --filter SerialRunTests` runs that one alone.
extension EngineTests {
  @Suite struct SerialRunTests {
    /// What a callback answers is a function of block and stage.
    struct Plan: CustomStringConvertible {
      var kinds: [StageKind] = []
      var concurrency: [Int] = []
      var seesAll: [Bool] = []
      var count: UInt64 = 0
      /// [stage][block]; the source is stage 0.
      var answers: [[UInt64: Int32]] = []
      var limit = 1
      var collects = false
      var maxFailures: UInt64 = 0
      var errorsKept = 100
      var isUneven = false
      /// Of the stages and the sink; 0 where they are not serial.
      var batches: [Int] = []

      init(_ random: inout SeededRandom) {
        let length = random.below(5)
        kinds = (0..<length).map { _ in random.pick([.parallel, .serial, .serialAnyOrder]) }
        concurrency = kinds.map { $0 == .parallel && random.chance(3) ? 1 + random.below(3) : 0 }
        seesAll = (0..<length + 2).map { _ in random.chance(6) }
        count = UInt64(random.pick([0, 1, 2, 10, 60, 200]))
        limit = random.pick([1, 2, 3, 5, 16, 100])
        collects = random.chance(3)
        maxFailures = collects && random.chance(2) ? UInt64(1 + random.below(4)) : 0
        errorsKept = random.pick([0, 1, 3, 100])
        isUneven = random.chance(2)
        answers = (0..<length + 2).map { _ in [:] }
        batches = (0...length).map { _ in 0 }
        guard count > 0 else { return }
        let events = random.pick([0, 1, 1, 2, 3, 6])
        for _ in 0..<events {
          let stage = random.below(length + 2)
          let number = UInt64(random.below(Int(count)))
          answers[stage][number] = random.pick([
            StageReturn.stop, StageReturn.stopDrop, -1000 - Int32(number), -1000 - Int32(number),
            77,
          ])
        }
        if random.chance(2) {
          let stage = random.below(length + 2)
          let modulus = UInt64(2 + random.below(5))
          for number in 0..<count where number % modulus == 1 && answers[stage][number] == nil {
            answers[stage][number] = StageReturn.drop
          }
        }
        batches = (kinds + [.serial]).map {
          $0 == .serial && random.chance(2) ? random.pick([1, 2, 5, 256]) : 0
        }
      }

      var description: String {
        "\(kinds.map { ["P", "S", "A"][Int($0.rawValue)] }.joined())\(concurrency)\(batches) "
          + "see-all \(seesAll) "
          + "\(count) blocks, limit \(limit), collects \(collects)/\(maxFailures)/\(errorsKept), "
          + "\(answers.map { $0.sorted { $0.key < $1.key } })"
      }
    }

    struct Outcome: Equatable, CustomStringConvertible {
      var status: Status
      var number: UInt64?
      var stage: Int?
      var code: Int32
      var delivered: [UInt64]
      var meta: [UInt64]
      var errors: [String]
      var errorCount: UInt64
      var errorsNotKept: UInt64
      var description: String {
        "\(status.name) at \(number as Any)/\(stage as Any) code \(code), \(delivered.count) delivered "
          + "\(delivered.suffix(3)), errors \(errors) of \(errorCount)"
      }
    }

    static func run(
      _ plan: Plan, workers: Int, on pool: Pool? = nil, label: String
    ) throws -> Outcome {
      let payloads = Payloads()
      let attached = Tally()
      let delivered = Log<UInt64>()
      let meta = Log<UInt64>()
      @Sendable func answer(_ stage: Int, _ block: BlockPointer) -> Int32 {
        let code = plan.answers[stage][block.pointee.number] ?? 0
        return code < 0 ? block.fails(code, "stage \(stage) block \(block.pointee.number)") : code
      }
      let source = Stage.block("source", .serial, seesAll: plan.seesAll[0]) { block in
        if block.pointee.number == plan.count { return StageReturn.sourceEnd }
        payloads.attach(block.pointee.number, to: block)
        attached.add()
        return answer(0, block)
      }
      let stages = plan.kinds.enumerated().map { index, kind in
        Stage.block(
          "stage \(index + 1)", kind, concurrency: plan.concurrency[index],
          batch: plan.batches[index], seesAll: plan.seesAll[index + 1]
        ) { block in
          block.pointee.meta.0 = block.pointee.meta.0 &* 31 &+ UInt64(index + 1)
          if plan.isUneven && (block.pointee.number + UInt64(index)) % 7 == 0 {
            for _ in 0..<2000 { block.pointee.meta.1 &+= 3 }
          }
          return answer(index + 1, block)
        }
      }
      let last = plan.kinds.count + 1
      let sink = Stage.block(
        "sink", .serial, batch: plan.batches[last - 1], seesAll: plan.seesAll[last]
      ) { block in
        let code = answer(last, block)
        if code == 0 || code == StageReturn.stop {
          delivered.append(block.pointee.number)
          meta.append(block.pointee.meta.0)
        }
        return code
      }
      let pipeline = try Pipeline(
        workers, on: pool, limit: plan.limit, source: source, stages, sink: sink
      ) {
        $0.collectsErrors = plan.collects
        $0.maxFailures = plan.maxFailures
        $0.maxErrorsKept = plan.errorsKept
      }
      _ = try pipeline.runToEnd(label)
      let result = try pipeline.result()
      let outcome = Outcome(
        status: result.status, number: result.number, stage: result.stage, code: result.code,
        delivered: delivered.all, meta: meta.all,
        errors: try pipeline.errors().map { "\($0.number)/\($0.stage) \($0.code) \($0.text)" },
        errorCount: result.errors, errorsNotKept: result.errorsNotKept)
      #expect(result.delivered == UInt64(delivered.count), "\(label)")
      #expect(payloads.releases == attached.value && payloads.isEachOnce, "\(label)")
      #expect(payloads.count(.delivered) == delivered.count, "\(label)")
      #expect(
        result.delivered + result.dropped + result.cut + result.failed == UInt64(attached.value),
        "\(label)")
      for stage in 0..<pipeline.stageCount {
        let sum = try pipeline.statistics(ofStage: stage)
        guard stage > 0 else { continue }
        #expect(sum.blocksIn == UInt64(attached.value), "stage \(stage): \(label)")
      }
      let statistics = try pipeline.statistics()
      #expect(statistics.inFlight == 0, "\(label)")
      #expect(statistics.inFlightMax <= UInt64(plan.limit), "\(label)")
      #expect(statistics.blocksIn == UInt64(attached.value), "\(label)")
      try pipeline.destroy()
      return outcome
    }

    @Test("random pipelines come to what the serial reference comes to")
    func differential() throws {
      for seed in SeededRandom.seeds(TestScale.scaled(1500)) {
        var random = SeededRandom(seed: seed)
        let plan = Plan(&random)
        let label = "seed \(seed): \(plan)"
        let reference = try Self.run(plan, workers: 0, label: label + " serial")
        for workers in [1, 2, random.pick([3, 8, 64])] {
          let outcome = try Self.run(plan, workers: workers, label: label + " \(workers) workers")
          #expect(outcome == reference, "\(label) \(workers) workers")
        }
      }
    }

    @Test("the reference runs again, is waited for, and needs no pool")
    func alone() throws {
      let delivered = Tally()
      let pipeline = try Pipeline(
        0, source: .source(10), [.block { _ in 0 }],
        sink: .block("sink", .serial) { _ in
          delivered.add()
          return 0
        })
      for round in 1...3 {
        #expect(try pipeline.run() == .ok)
        #expect(try pipeline.wait() == .ok)
        #expect(try pipeline.wait(timeout: 0) == .ok)
        #expect(delivered.value == round * 10)
      }
      #expect(throws: WorkpoolError.self) { try pipeline.start() }
      try pipeline.cancel()
      #expect(try pipeline.statistics().blocksOut == 10)
      try pipeline.destroy()
      #expect(throws: WorkpoolError.self) { _ = try Pipeline(on: nil) }
    }

    @Test("the reference is cancelled and stopped from callbacks")
    func ended() throws {
      for cancels in [true, false] {
        let pipelines = Log<Pipeline>()
        let delivered = Tally()
        let pipeline = try Pipeline(
          0, source: .block("source", .serial) { _ in 0 },
          [
            .block { block in
              if block.pointee.number == 5 {
                if cancels { try? pipelines.all[0].cancel() } else { try? pipelines.all[0].stop() }
                if (try? pipelines.all[0].wait()) != .wouldDeadlock { return -1 }
              }
              return 0
            }
          ],
          sink: .block("sink", .serial) { _ in
            delivered.add()
            return 0
          })
        pipelines.append(pipeline)
        #expect(try pipeline.run() == (cancels ? .cancelled : .stopped))
        #expect(delivered.value == (cancels ? 5 : 6))
        try pipeline.destroy()
      }
    }
  }
}
