// SPDX-License-Identifier: MIT
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// Delivery as blocks come.
  @Suite struct UnorderedTests {
    /// A sink that sees each block once and one at a time.
    private final class Sink: Sendable {
      let seen = Log<UInt64>()
      private let inside = Tally()

      func stage(_ body: @escaping @Sendable (BlockPointer) -> Int32 = { _ in 0 }) -> Stage {
        .block("sink", .serial) { [self] block in
          #expect(inside.add() == 1, "the sink is called for two blocks at once")
          seen.append(block.pointee.number)
          let code = body(block)
          inside.add(-1)
          return code
        }
      }
    }

    @Test(
      "A6: others are delivered while one sleeps, as far as the window reaches",
      arguments: Pools.counts)
    func fastTail(workers: Int) throws {
      for kind in [StageKind.parallel, .serialAnyOrder] {
        let gate = Gate()
        let living = Living()
        let sink = Sink()
        let called = Tally()
        // The slow block keeps a worker; with a single one nobody could do the rest.
        let isHeld = workers > 1
        let slow = Stage.block("slow") { block in
          if block.pointee.number == 0 && isHeld { gate.pass("block 0") }
          return block.pointee.number % 7 == 6 ? StageReturn.drop : 0
        }
        let pipeline = try Pipeline(
          workers, limit: 4, source: living.source(500) { _ in called.add() },
          [slow, .block("", kind) { _ in 0 }], sink: sink.stage()
        ) {
          $0.deliversUnordered = true
          $0.windowCapacity = 64
        }
        try pipeline.start()
        if isHeld {
          // Numbers 1 to 63 without the dropped ones, and no more: 64 has the row of 0.
          waitUntil("63 blocks behind the slow one") { sink.seen.count == 54 && called.value == 64 }
          #expect(!sink.seen.all.contains(0))
          living.wait(for: 1, "the slow one")
          waitUntil("places that are given back") { (try? pipeline.statistics().inFlight) == 1 }
        }
        gate.open()
        #expect(try pipeline.end() == .ok)
        #expect(sink.seen.all.sorted() == (0..<500).filter { $0 % 7 != 6 })
        #expect(living.live.peak <= 4 && living.live.value == 0 && living.payloads.isEachOnce)
        let outcome = try pipeline.result()
        #expect(outcome.delivered == 429 && outcome.dropped == 71)
        #expect(try pipeline.statistics().inFlightMax <= 4)
        try pipeline.destroy()
      }
    }

    @Test("A6: the same with results that the host reads", arguments: Pools.counts)
    func fastTailOfResults(workers: Int) throws {
      let gate = Gate()
      let isHeld = workers > 1
      let slow = Stage.block("slow") { block in
        if block.pointee.number == 0 && isHeld { gate.pass("block 0") }
        return 0
      }
      let pipeline = try Pipeline(workers, limit: 4, source: .source(300), [slow]) {
        $0.deliversUnordered = true
        $0.pullsResults = true
        $0.windowCapacity = 32
      }
      try pipeline.start()
      var read: [UInt64] = []
      func readOne() throws {
        let (status, result) = try pipeline.nextResult()
        #expect(status == .ok)
        if let result {
          read.append(result.block.pointee.number)
          result.release()
        }
      }
      if isHeld {
        for _ in 0..<31 { try readOne() }
        #expect(!read.contains(0))
        #expect(try pipeline.nextResult(timeout: 0).0 == .wouldBlock)
      }
      gate.open()
      while read.count < 300 { try readOne() }
      #expect(try pipeline.nextResult().0 == .end)
      #expect(read.sorted() == Array(0..<300))
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("unread results keep their places, and who submits is told", arguments: [1, 2, 8])
    func results(workers: Int) throws {
      let pipeline = try Pipeline(workers, limit: 3, [.block("", .serialAnyOrder) { _ in 0 }]) {
        $0.deliversUnordered = true
        $0.pullsResults = true
        $0.maxBytesInFlight = 100
      }
      try pipeline.start()
      for round in 0..<50 {
        for number in 0..<3 { #expect(try pipeline.submit(Submission(UInt64(number))) == .ok) }
        #expect(try pipeline.flush() == .ok)
        #expect(try pipeline.submit(Submission()) == .resultsWaiting)
        var held: [PipelineResult] = []
        for _ in 0..<3 {
          let (status, result) = try pipeline.nextResult()
          #expect(status == .ok, "\(round)")
          if let result { held.append(result) }
        }
        #expect(try pipeline.nextResult().0 == .wouldDeadlock)
        for result in held { result.release() }
      }
      try pipeline.close()
      #expect(try pipeline.nextResult().0 == .end)
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("submitters wait for the window", arguments: [2, 3, 8])
    func window(workers: Int) throws {
      let gate = Gate()
      let sink = Sink()
      let slow = Stage.block("slow") { block in
        if block.pointee.number == 0 { gate.pass("block 0") }
        return 0
      }
      let pipeline = try Pipeline(workers, limit: 8, [slow], sink: sink.stage()) {
        $0.deliversUnordered = true
        $0.windowCapacity = 8
      }
      try pipeline.start()
      for number in 0..<8 { #expect(try pipeline.submit(Submission(UInt64(number))) == .ok) }
      waitUntil("seven blocks") { sink.seen.count == 7 }
      waitUntil("their places") { (try? pipeline.statistics().inFlight) == 1 }
      #expect(try pipeline.submit(Submission(), timeout: 0) == .wouldBlock)
      #expect(try pipeline.submit(Submission(), timeout: 1_000_000) == .timedOut)
      #expect(try pipeline.statistics().inFlight == 1)
      let threads = Threads(5) { _ in
        for _ in 0..<20 { #expect((try? pipeline.submit(Submission())) == .ok) }
      }
      gate.open()
      threads.join()
      #expect(try pipeline.flush() == .ok)
      #expect(sink.seen.all.sorted() == Array(0..<108))
      try pipeline.close()
      #expect(try pipeline.submit(Submission()) == .closed)
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("numbered blocks come in as with ordered delivery", arguments: [1, 2, 8])
    func numbered(workers: Int) throws {
      let sink = Sink()
      let pipeline = try Pipeline(workers, limit: 4, sink: sink.stage()) {
        $0.deliversUnordered = true
      }
      try pipeline.start()
      #expect(try pipeline.submit(number: 3, Submission()) == .ok)
      waitUntil("number 3") { sink.seen.all == [3] }
      #expect(try pipeline.submit(number: 4, Submission(), timeout: 0) == .wouldBlock)
      for number in [1, 0, 2, 4] as [UInt64] {
        #expect(try pipeline.submit(number: number, Submission()) == .ok)
      }
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(sink.seen.all.sorted() == [0, 1, 2, 3, 4])
      try pipeline.destroy()
    }

    @Test("the outcome and the errors are those of the reference", arguments: Pools.counts)
    func outcomes(workers: Int) throws {
      let seed = SeededRandom.seeds(1)[0]
      var random = SeededRandom(seed: seed)
      for trial in 0..<TestScale.scaled(60) {
        let count = UInt64(random.below(300))
        let collects = random.chance(2)
        let (failing, stopping) = (random.below(400), random.below(400))
        let (failingStage, stoppingStage) = (1 + random.below(4), 1 + random.below(4))
        let every = 3 + random.below(60)
        let limit = 1 + random.below(9)
        func run(_ workers: Int) throws -> (PipelineOutcome, [PipelineError], [UInt64]) {
          let seen = Log<UInt64>()
          func answer(_ stage: Int) -> @Sendable (BlockPointer) -> Int32 {
            { block in
              let number = Int(block.pointee.number)
              if stage == 4 { seen.append(block.pointee.number) }
              if stage == failingStage && number % every == failing % every && number >= failing / 4
              {
                return -1000 - Int32(stage)
              }
              if stage == stoppingStage && number == stopping { return StageReturn.stop }
              return stage == 2 && number % 5 == 1 ? StageReturn.drop : 0
            }
          }
          let pipeline = try Pipeline(
            workers, limit: limit, source: .source(count),
            [
              .block("a", .parallel, answer(1)), .block("b", .serial, answer(2)),
              .block("c", .parallel, concurrency: 2, answer(3)),
            ], sink: .block("sink", .serial, answer(4))
          ) {
            $0.deliversUnordered = true
            $0.collectsErrors = collects
            $0.windowCapacity = 16
          }
          let status = try pipeline.runToEnd("seed \(seed) trial \(trial)")
          let outcome = try pipeline.result()
          let errors = try pipeline.errors()
          #expect(status == outcome.status)
          #expect(try pipeline.statistics().stages == 5)
          #expect(try pipeline.statistics(ofStage: 4).calls == UInt64(seen.count))
          #expect(throws: WorkpoolError.self) { try pipeline.statistics(ofStage: 5) }
          try pipeline.destroy()
          return (outcome, errors, seen.all)
        }
        let (expected, errors, delivered) = try run(0)
        let (outcome, found, seen) = try run(workers)
        let what = "seed \(seed) trial \(trial)"
        #expect(outcome.status == expected.status, "\(what)")
        #expect(outcome.number == expected.number && outcome.stage == expected.stage, "\(what)")
        #expect(outcome.code == expected.code && outcome.errors == expected.errors, "\(what)")
        #expect(found.map(\.number) == errors.map(\.number), "\(what)")
        #expect(Set(seen).count == seen.count && Set(seen).isSuperset(of: delivered), "\(what)")
        #expect(outcome.delivered >= expected.delivered, "\(what)")
      }
    }

    @Test("a run ends while the window is full, whatever ends it", arguments: [2, 3, 8, 64])
    func endings(workers: Int) throws {
      for ending in 0..<4 {
        let gate = Gate()
        let living = Living()
        let sink = Sink()
        let slow = Stage.block("slow") { block in
          if block.pointee.number == 0 { gate.pass("block 0") }
          return 0
        }
        let pipeline = try Pipeline(
          workers, limit: 3, source: living.source(.max), [slow],
          sink: sink.stage { ending == 3 && $0.pointee.number == 7 ? -1000 : 0 }
        ) {
          $0.deliversUnordered = true
          $0.windowCapacity = 8
          $0.maxBytesInFlight = 33
        }
        try pipeline.start()
        if ending < 3 { waitUntil("seven blocks") { sink.seen.count == 7 } }
        switch ending {
        case 0: try pipeline.cancel()
        case 1: try pipeline.stop()
        default: break
        }
        gate.open()
        switch ending {
        case 0: #expect(try pipeline.end() == .cancelled)
        case 1: #expect(try pipeline.end() == .stopped)
        case 3:
          #expect(try pipeline.end() == .stageFailed)
          #expect(try pipeline.result().number == 7)
        default: break  // destroy ends it
        }
        if ending == 1 { #expect(sink.seen.all.sorted() == Array(0..<8)) }
        try pipeline.destroy()
        #expect(living.live.value == 0 && living.payloads.isEachOnce)
      }
    }

    @Test("the reference delivers in order, and a run may follow another", arguments: [0, 1, 2, 8])
    func repeated(workers: Int) throws {
      let sink = Sink()
      let pipeline = try Pipeline(
        workers, source: .source(400), [.block { _ in 0 }], sink: sink.stage()
      ) {
        $0.deliversUnordered = true
      }
      for _ in 0..<3 { #expect(try pipeline.runToEnd() == .ok) }
      #expect(sink.seen.count == 1200)
      if workers == 0 { #expect(sink.seen.all.prefix(400) == ArraySlice(0..<400)) }
      try pipeline.destroy()
    }
  }
}
