// SPDX-License-Identifier: MIT
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

/// Random pipelines with splitters against the serial reference. A failure names its seed:
/// `WORKPOOL_SEED=… swift test --filter SplitterRandomTests` runs that one alone.
extension EngineTests {
  @Suite struct SplitterRandomTests {
    static func mix(_ values: UInt64...) -> UInt64 {
      var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
      for value in values {
        hash ^= value &+ 0x9e37_79b9_7f4a_7c15 &+ (hash << 6) &+ (hash >> 2)
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        hash ^= hash >> 31
      }
      return hash
    }

    /// What a callback answers is a function of its stage and of the block's key, which says where the
    /// block came from.
    struct Plan: CustomStringConvertible {
      var seed: UInt64
      var kinds: [StageKind] = []
      var seesAll: [Bool] = []
      var mayBlock: [Bool] = []
      /// Of splitters: 0: some blocks for each one; n: one block for n of them.
      var chunk: [UInt64] = []
      var keptAtEnd: [UInt64] = []
      /// One of so many blocks is dropped, stops, stops and is dropped, fails, has a bad answer; 0: none.
      var rarity: [[UInt64]] = []
      var count: UInt64 = 0
      var limit = 1
      var maxBytes = 0
      var collects = false
      var maxFailures: UInt64 = 0
      var errorsKept = 100
      var isUneven = false

      init(_ random: inout SeededRandom, seed: UInt64) {
        self.seed = seed
        let length = random.below(5)
        kinds = (0..<length).map { _ in random.pick([.parallel, .serial, .serialAnyOrder]) }
        for _ in 0..<random.pick([1, 1, 1, 2, 2, 3]) {
          kinds.insert(.splitter, at: random.below(kinds.count + 1))
        }
        let all = kinds.count + 2
        seesAll = (0..<all).map { _ in random.chance(7) }
        mayBlock = (0..<all).map { _ in random.chance(9) }
        chunk = (0..<all).map { _ in random.chance(3) ? UInt64(2 + random.below(4)) : 0 }
        keptAtEnd = (0..<all).map { _ in UInt64(random.below(4)) }
        let isQuiet = random.chance(4)
        rarity = (0..<all).map { _ in
          (0..<5).map { which in
            if isQuiet || !random.chance(which == 0 ? 3 : 6) { return 0 }
            return UInt64(random.pick([5, 20, 50, 200]))
          }
        }
        count = UInt64(random.pick([0, 1, 2, 7, 30, 80]))
        limit = random.pick([1, 1, 2, 3, 5, 16, 100])
        maxBytes = random.pick([0, 0, 1, 20, 60])
        collects = random.chance(3)
        maxFailures = collects && random.chance(2) ? UInt64(1 + random.below(4)) : 0
        errorsKept = random.pick([0, 1, 3, 100, 100])
        isUneven = random.chance(2)
      }

      func answer(_ stage: Int, _ key: UInt64) -> Int32 {
        let answers = [
          StageReturn.drop, StageReturn.stop, StageReturn.stopDrop,
          -1000 - Int32(key % 100), 77,
        ]
        for (which, rarity) in rarity[stage].enumerated() where rarity > 0 {
          if mix(seed, UInt64(stage), key, UInt64(which)) % rarity == 0 { return answers[which] }
        }
        return StageReturn.ok
      }

      var description: String {
        let letters = kinds.map { ["P", "S", "A", "X"][Int($0.rawValue)] }.joined()
        return "\(letters) see-all \(seesAll.map { $0 ? 1 : 0 }) chunks \(chunk) kept \(keptAtEnd) "
          + "\(count) blocks, limit \(limit), \(maxBytes) bytes, collects \(collects)/\(maxFailures)/\(errorsKept), "
          + "rarity \(rarity)"
      }
    }

    /// A splitter's memory: its calls are serial.
    final class Memory: @unchecked Sendable {
      var input: UInt64?
      var index: UInt64 = 0
      var held: UInt64 = 0
      var kept: UInt64 = 0
    }

    struct Delivered: Equatable {
      var number: UInt64
      var source: UInt64
      var key: UInt64
    }

    struct Outcome: Equatable, CustomStringConvertible {
      var status: Status
      var number: UInt64?
      var source: UInt64?
      var stage: Int?
      var code: Int32
      var delivered: [Delivered]
      var errors: [String]
      var errorCount: UInt64
      var errorsNotKept: UInt64
      var description: String {
        "\(status.name) at \(number as Any)(\(source as Any))/\(stage as Any) code \(code), "
          + "\(delivered.count) delivered \(delivered.suffix(3).map { $0.number }), "
          + "errors \(errors) of \(errorCount)"
      }
    }

    static func split(
      _ plan: Plan, _ stage: Int, _ memory: Memory, _ input: UnsafePointer<Block>?,
      _ output: BlockPointer
    ) -> Int32 {
      let number = input?.pointee.number ?? .max
      if memory.input != number {
        memory.input = number
        memory.index = 0
        if input != nil { memory.held += 1 }
      }
      let key = mix(input?.pointee.meta.0 ?? 5, UInt64(stage), memory.index, memory.kept)
      let chunk = plan.chunk[stage]
      var wanted: UInt64
      if input == nil {
        wanted = chunk > 0 && memory.held == 0 ? 0 : plan.keptAtEnd[stage]
      } else if chunk > 0 {
        if memory.held == chunk || memory.index > 0 { memory.held = 0 }
        wanted = memory.held == 0 ? 1 : 0
        memory.kept = mix(memory.kept, input!.pointee.meta.0)
      } else {
        wanted = mix(plan.seed, input!.pointee.meta.0, UInt64(stage)) % 5
      }
      output.pointee.meta.0 = key
      let answer = wanted == 0 ? StageReturn.ok : plan.answer(stage, key)
      if answer == StageReturn.drop { return StageReturn.drop }
      if answer != StageReturn.ok {
        return answer < 0 ? output.fails(answer, "splitter \(stage) at \(number)") : answer
      }
      memory.index += 1
      if wanted == 0 { return StageReturn.drop }
      return memory.index < wanted ? StageReturn.more : StageReturn.ok
    }

    static func run(
      _ plan: Plan, workers: Int, on pool: Pool? = nil, label: String
    ) throws -> Outcome {
      let payloads = Payloads()
      let attached = Tally()
      let faults = Tally()
      let delivered = Log<Delivered>()
      let last = plan.kinds.count + 1

      @Sendable func attach(_ block: BlockPointer) {
        if block.pointee.meta.0 % 2 == 0 {
          payloads.attach(UInt64(attached.add()), to: block)
        }
      }
      @Sendable func answer(_ stage: Int, _ block: BlockPointer) -> Int32 {
        let code = plan.answer(stage, block.pointee.meta.0)
        return code < 0 ? block.fails(code, "stage \(stage) block \(block.pointee.number)") : code
      }
      let source = Stage.block("source", .serial, seesAll: plan.seesAll[0]) { block in
        if block.pointee.number == plan.count { return StageReturn.sourceEnd }
        block.pointee.meta.0 = mix(plan.seed, block.pointee.number)
        attach(block)
        return answer(0, block)
      }
      var stages: [Stage] = []
      for (index, kind) in plan.kinds.enumerated() {
        let stage = index + 1
        let memory = Memory()
        var made: Stage
        if kind == .splitter {
          made = .splitter("splitter \(stage)", seesAll: plan.seesAll[stage]) { input, output in
            let code = split(plan, stage, memory, input, output)
            attach(output)
            return code
          }
        } else {
          let latest = Locked<UInt64>(0)
          made = .closure("stage \(stage)", kind, seesAll: plan.seesAll[stage]) { block, _, call in
            if call.input != nil || call.stage != stage { faults.add() }
            if kind == .serial {
              latest.with {
                if block.pointee.number < $0 { faults.add() }
                $0 = block.pointee.number + 1
              }
            }
            if plan.isUneven && mix(block.pointee.meta.0) % 7 == 0 {
              for _ in 0..<2000 { block.pointee.meta.1 &+= 3 }
            }
            return answer(stage, block)
          }
        }
        made.mayBlock = plan.mayBlock[stage]
        stages.append(made)
      }
      let sink = Stage.block("sink", .serial, seesAll: plan.seesAll[last]) { block in
        let code = answer(last, block)
        if code == 0 || code == StageReturn.stop {
          delivered.append(
            Delivered(
              number: block.pointee.number, source: block.pointee.sourceNumber,
              key: block.pointee.meta.0))
        }
        return code
      }
      let pipeline = try Pipeline(
        workers, on: pool, limit: plan.limit, source: source, stages, sink: sink
      ) {
        $0.maxBytesInFlight = plan.maxBytes
        $0.collectsErrors = plan.collects
        $0.maxFailures = plan.maxFailures
        $0.maxErrorsKept = plan.errorsKept
      }
      _ = try pipeline.runToEnd(label)
      let result = try pipeline.result()
      let outcome = Outcome(
        status: result.status, number: result.number, source: result.sourceNumber,
        stage: result.stage, code: result.code, delivered: delivered.all,
        errors: try pipeline.errors().map {
          "\($0.number)(\($0.sourceNumber))/\($0.stage) \($0.code) \($0.text)"
        },
        errorCount: result.errors, errorsNotKept: result.errorsNotKept)
      #expect(faults.value == 0, "\(label)")
      #expect(result.delivered == UInt64(delivered.count), "\(label)")
      #expect(payloads.releases == attached.value && payloads.isEachOnce, "\(label)")
      let statistics = try pipeline.statistics()
      #expect(statistics.inFlight == 0, "\(label)")
      #expect(statistics.inFlightMax <= UInt64(plan.limit), "\(label)")
      #expect(statistics.bytesInFlight == 0, "\(label)")
      if plan.maxBytes > 0 && workers > 0 {
        let most = UInt64(plan.maxBytes + Payloads.size)
        #expect(statistics.bytesInFlightMax < most, "\(label)")
      }
      #expect(statistics.stages == plan.kinds.count + 2, "\(label)")
      try pipeline.destroy()
      return outcome
    }

    @Test("random pipelines with splitters come to what the serial reference comes to")
    func differential() throws {
      for seed in SeededRandom.seeds(TestScale.scaled(1000)) {
        var random = SeededRandom(seed: seed)
        let plan = Plan(&random, seed: seed)
        let label = "seed \(seed): \(plan)"
        let reference = try Self.run(plan, workers: 0, label: label + " serial")
        for workers in [1, 2, random.pick([3, 8, 64])] {
          let outcome = try Self.run(plan, workers: workers, label: label + " \(workers) workers")
          #expect(outcome == reference, "\(label) \(workers) workers")
          if outcome != reference { return }
        }
      }
    }
  }
}
