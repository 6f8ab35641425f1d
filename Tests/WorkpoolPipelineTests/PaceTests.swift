// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

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
    @Test("blocks submitted to an idle compact run are worked on by several workers", arguments: [2, 8])
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

    @Test(
      "a source that waits for the block before it is not waited for",
      arguments: [2, 8])
    func interactiveSource(workers: Int) throws {
      let delivered = Tally()
      let answered = Locked<[UInt64: Gate]>([:])
      let count: UInt64 = 4000
      for number in stride(from: UInt64(1000), to: count, by: 61) {
        answered.with { $0[number] = Gate() }
      }
      let source = Stage.block("source", .serial) { block in
        let number = block.pointee.number
        if number == count { return StageReturn.sourceEnd }
        if number > 0, let gate = answered.with({ $0[number - 1] }) {
          gate.pass("block \(number - 1) delivered")
        }
        return 0
      }
      let work = Stage.block { block in
        var sum: UInt64 = block.pointee.number
        for _ in 0..<300 { sum = sum &* 6_364_136_223_846_793_005 &+ 1 }
        block.pointee.meta.0 = sum
        return 0
      }
      let sink = Stage.block("sink", .serial) { block in
        delivered.add()
        answered.with { $0[block.pointee.number] }?.open()
        return 0
      }
      let pipeline = try Pipeline(workers, limit: 100, source: source, [work], sink: sink)
      #expect(try pipeline.runToEnd() == .ok)
      #expect(delivered.value == Int(count))
      try pipeline.destroy()
    }
  }
}
