// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Synchronization
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore
@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct PaceTests {
    @Test("a call of any length is a valid cost, whatever the cost before it")
    func anyCost() async {
      await #expect(processExitsWith: .success) {
        let pipeline = try Pipeline(2, source: .source(0), [.block { _ in 0 }])
        try pipeline.start()
        let run = pipeline.current!
        let times: [UInt64] = [
          0, 1, 449, 500_000_000, 620_000_000, 800_000_000, 1 << 30, .max, UInt64(UInt32.max), 1,
        ]
        for first in times {
          for second in times {
            for stage in 0..<2 {
              for time in [first, second, second] {
                run.pointee.noteCost(stage: stage, nanoseconds: time)
              }
            }
          }
        }
        let status = try pipeline.end()
        precondition(status == .ok)
        try pipeline.destroy()
      }
    }

    /// Blocks whose stage takes nothing make a run compact; then two blocks are submitted that can only
    /// go on together.
    @Test(
      "blocks submitted to an idle compact run are worked on by several workers", arguments: [2, 8])
    func idleCompactRun(workers: Int) throws {
      for _ in 0..<TestScale.scaled(200) {
        let meetings = Locked<[UInt64: Gate]>([:])
        let stage = Stage.block { block in
          let meeting = block.pointee.meta.0
          if meeting > 0 {
            meetings.with { $0[meeting, default: Gate(opensAt: 2)] }.pass("two blocks at once")
          }
          return 0
        }
        let pipeline = try Pipeline(workers, limit: 8, [stage])
        try pipeline.start()
        for meeting in UInt64(1)...3 {
          meetings.with { $0[meeting] = Gate(opensAt: 2) }
          for _ in 0..<200 { #expect(try pipeline.submit(Submission()) == .ok) }
          #expect(try pipeline.flush() == .ok)
          var pair = Submission()
          pair.meta.0 = meeting
          #expect(try pipeline.submit(pair) == .ok)
          #expect(try pipeline.submit(pair) == .ok)
        }
        try pipeline.close()
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
      }
    }

    /// The first call of a kind is timed as long and makes the run spread; blocks that were submitted
    /// while it was compact must get workers then.
    @Test("a run that becomes spread calls workers for what lies ready", arguments: [2, 8])
    func spreading(workers: Int) throws {
      for _ in 0..<TestScale.scaled(50) {
        let isFilled = Gate()
        let together = Gate(opensAt: 2)
        let stage = Stage.block { block in
          switch block.pointee.meta.0 {
          case 1: isFilled.pass("all blocks are submitted")
          case 2: together.pass("two workers")
          default: break
          }
          return 0
        }
        let pipeline = try Pipeline(workers, limit: 64, [stage])
        try pipeline.start()
        func submit(_ kind: UInt64) throws {
          var submission = Submission()
          submission.meta.0 = kind
          #expect(try pipeline.submit(submission) == .ok)
        }
        for _ in 0..<200 { try submit(0) }
        #expect(try pipeline.flush() == .ok)
        try submit(1)
        isFilled.waitForArrivals(1)
        try submit(2)
        try submit(2)
        isFilled.open()
        try pipeline.close()
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
      }
    }

    /// A source that waits for the answer to its block, as a peer at the other end of a pipe does.
    final class Dialogue: @unchecked Sendable {
      let count: UInt64
      let delivered = Tally()
      private let answered = Locked<[UInt64: Gate]>([:])
      private let pool: Pool?

      /// Every 61st block is a question; with a pool it is asked when all other workers sleep.
      init(count: UInt64, pool: Pool?) {
        self.count = count
        self.pool = pool
        for number in stride(from: UInt64(1000), to: count, by: 61) {
          answered.with { $0[number] = Gate() }
        }
      }

      func next(_ number: UInt64) -> Int32 {
        if number == count { return StageReturn.sourceEnd }
        if let pool, answered.with({ $0[number] }) != nil {
          let deadline = Clock.now + TestScale.patienceNanoseconds
          let word = pool.shared
          while Int(word.pointee.word.load(ordering: .relaxed) & 0xffff_ffff)
            < pool.workerCount - 1 && Clock.now < deadline
          { wpl_yield() }
          // A worker that has just parked looks once more a millisecond later.
          let asleep = Clock.now + 3_000_000
          while Clock.now < asleep { wpl_yield() }
        }
        if number > 0, let gate = answered.with({ $0[number - 1] }) {
          gate.pass("block \(number - 1) delivered")
        }
        return 0
      }

      var sink: Stage {
        .block("sink", .serial) { [self] block in
          delivered.add()
          answered.with { $0[block.pointee.number] }?.open()
          return 0
        }
      }
    }

    @Test(
      "a source may wait for the block before to be delivered", arguments: [2, 3, 8], [0, 300])
    func interactiveSource(workers: Int, work: Int) throws {
      let dialogue = Dialogue(count: 4000, pool: Pools.of(workers))
      let pipeline = try Pipeline(
        workers, limit: 100,
        source: .block("source", .serial) { dialogue.next($0.pointee.number) },
        [
          .block { block in
            for _ in 0..<work { block.pointee.meta.0 = block.pointee.meta.0 &* 3 &+ 1 }
            return 0
          }
        ], sink: dialogue.sink)
      #expect(try pipeline.runToEnd() == .ok)
      #expect(dialogue.delivered.value == 4000)
      try pipeline.destroy()
    }

    @Test("with one worker such a source says that it may block")
    func interactiveSourceAlone() throws {
      let dialogue = Dialogue(count: 4000, pool: nil)
      var source = Stage.block("source", .serial) { dialogue.next($0.pointee.number) }
      source.mayBlock = true
      let pipeline = try Pipeline(
        1, limit: 100, source: source, [.block { _ in 0 }], sink: dialogue.sink)
      #expect(try pipeline.runToEnd() == .ok)
      #expect(dialogue.delivered.value == 4000)
      try pipeline.destroy()
    }

    /// In a compact run a worker keeps the turn of a serial stage for its next block.
    @Test("a stage that may block holds nothing back from others", arguments: [2, 3, 8])
    func stageThatMayBlock(workers: Int) throws {
      let limit = 2 * workers
      let passed = Tally()
      let gates = Locked<[UInt64: Gate]>([:])
      let slow: [UInt64] = [500, 1111, 2000]
      for number in slow { gates.with { $0[number] = Gate() } }
      var stage = Stage.block { block in
        let number = block.pointee.number
        if let gate = gates.with({ $0[number] }) { gate.pass("the blocks after \(number)") }
        passed.add()
        for head in slow where number == head + UInt64(limit) - 1 {
          gates.with { $0[head] }?.open()
        }
        return 0
      }
      stage.mayBlock = true
      let pipeline = try Pipeline(
        workers, limit: limit, source: .source(3000), [.block("first", .serial) { _ in 0 }, stage])
      #expect(try pipeline.runToEnd() == .ok)
      #expect(passed.value == 3000)
      try pipeline.destroy()
    }

    @Test("while one callback takes long the other workers sleep")
    func quietSentinel() throws {
      let gate = Gate()
      let tasks = Locked<Set<String>>([])
      let together = Gate(opensAt: 4)
      let pipeline = try Pipeline(
        4, limit: 8,
        [
          .block { block in
            switch block.pointee.meta.0 {
            case 1: gate.pass("the host")
            case 2:
              let task = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/thread-self")
              tasks.with { _ = $0.insert(task ?? "") }
              together.pass("all workers")
            default: break
            }
            return 0
          }
        ])
      try pipeline.start()
      for _ in 0..<4 { #expect(try pipeline.submit(Submission(2)) == .ok) }
      for _ in 0..<1000 { #expect(try pipeline.submit(Submission(0)) == .ok) }
      #expect(try pipeline.flush() == .ok)
      #expect(try pipeline.submit(Submission(1)) == .ok)
      gate.waitForArrivals(1)
      func switches() -> Int {
        tasks.with { tasks in
          tasks.reduce(0) { sum, task in
            let path = "/proc/\(task)/status"
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt") }
            return sum + (line.flatMap { Int($0.split(separator: "\t")[1]) } ?? 0)
          }
        }
      }
      usleep(50_000)  // they may look once or twice more
      let before = switches()
      usleep(400_000)
      #expect(switches() - before < 50)
      gate.open()
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }
  }
}
