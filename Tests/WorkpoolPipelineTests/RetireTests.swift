// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct RetireTests {
    static let endless = UInt64.max

    /// A source without end that counts its calls, and a sink that logs.
    final class Ends: Sendable {
      let called = Tally()
      let delivered = Log<UInt64>()
      var source: Stage {
        .block("source", .serial) { [called] _ in
          called.add()
          return 0
        }
      }
      func source(_ count: UInt64) -> Stage {
        .block("source", .serial) { [called] block in
          if block.pointee.number == count { return StageReturn.sourceEnd }
          called.add()
          return 0
        }
      }
      var sink: Stage {
        .block("sink", .serial) { [delivered] block in
          delivered.append(block.pointee.number)
          return 0
        }
      }
    }

    @Test(
      "a stop at block 137 delivers 0 to 137 and calls the source for a window more",
      arguments: [
        0, 1, 2, 3, 8, 64,
      ])
    func exactHead(workers: Int) throws {
      for limit in [1, 3, 16, 100] {
        for kind in [StageKind.serial, .parallel, .serialAnyOrder] {
          let ends = Ends()
          let head = Stage.block("head", kind) { block in
            block.pointee.number == 137 ? StageReturn.stop : 0
          }
          let pipeline = try Pipeline(
            workers, limit: limit, source: ends.source, [.block { _ in 0 }, head], sink: ends.sink)
          #expect(try pipeline.runToEnd() == .stopped)
          #expect(ends.delivered.all == Array(0...137))
          #expect(ends.called.value <= 137 + limit + 1)
          let outcome = try pipeline.result()
          #expect(outcome.number == 137 && outcome.stage == 2 && outcome.code == 0)
          #expect(outcome.delivered == 138 && outcome.failed == 0 && outcome.dropped == 0)
          #expect(outcome.cut == UInt64(ends.called.value) - 138)
          try pipeline.destroy()
        }
      }
    }

    @Test("a stop without its block delivers what is before it", arguments: [0, 1, 2, 8])
    func stopDrop(workers: Int) throws {
      let ends = Ends()
      let head = Stage.block("head", .serial) {
        $0.pointee.number == 50 ? StageReturn.stopDrop : 0
      }
      let pipeline = try Pipeline(workers, source: ends.source, [head], sink: ends.sink)
      #expect(try pipeline.runToEnd() == .stopped)
      #expect(ends.delivered.all == Array(0..<50))
      #expect(try pipeline.result().number == 50)
      #expect(try pipeline.result().dropped == 1)
      try pipeline.destroy()
    }

    @Test("a source, a sink and the first block may stop a run", arguments: [0, 1, 2, 8])
    func stopAnywhere(workers: Int) throws {
      for stage in 0...2 {
        for number in [UInt64(0), 7] {
          let delivered = Log<UInt64>()
          func stop(_ here: Int) -> @Sendable (BlockPointer) -> Int32 {
            { block in
              if here == 2 { delivered.append(block.pointee.number) }
              return here == stage && block.pointee.number == number ? StageReturn.stop : 0
            }
          }
          let pipeline = try Pipeline(
            workers, source: .block("source", .serial, stop(0)), [.block("", .parallel, stop(1))],
            sink: .block("sink", .serial, stop(2)))
          #expect(try pipeline.runToEnd() == .stopped)
          #expect(delivered.all == Array(0...number))
          #expect(try pipeline.result().stage == stage)
          try pipeline.destroy()
        }
      }
    }

    @Test("a see-all stage misses nothing because of a later stop", arguments: [0, 1, 2, 3, 8, 64])
    func seeAll(workers: Int) throws {
      for seesAll in [true, false] {
        let ends = Ends()
        let counted = Tally()
        let count = Stage.block("count", .serial, seesAll: seesAll) { _ in
          counted.add()
          return 0
        }
        let head = Stage.block("head", .serial) { $0.pointee.number == 9 ? StageReturn.stop : 0 }
        let limit = 16
        let pipeline = try Pipeline(
          workers, limit: limit, source: ends.source(1000), [count, head], sink: ends.sink)
        #expect(try pipeline.runToEnd() == .stopped)
        #expect(ends.delivered.all == Array(0...9))
        if seesAll {
          #expect(counted.value == 1000)
        } else {
          #expect(counted.value <= 10 + limit)
        }
        try pipeline.destroy()
      }
    }

    @Test(
      "the earliest failing block decides, whichever fails first in time",
      arguments: [
        2, 3, 8, 64,
      ])
    func failFast(workers: Int) throws {
      for trial in 0..<20 {
        let ends = Ends()
        let sevenFailed = Gate()
        let behind = Log<UInt64>()
        let work = Stage.block { block in
          switch block.pointee.number {
          case 7:
            sevenFailed.open()
            return block.fails(-1007, "seven")
          case 5:
            sevenFailed.pass("block 7")
            return block.fails(-1005, "five")
          default: return 0
          }
        }
        let check = Stage.block("check", .serial) { block in
          behind.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(
          workers, limit: 16, source: trial % 2 == 0 ? ends.source : ends.source(1000),
          [work, check],
          sink: ends.sink)
        #expect(try pipeline.runToEnd() == .stageFailed)
        #expect(ends.delivered.all == Array(0..<5))
        #expect(behind.all == Array(0..<5))
        let outcome = try pipeline.result()
        #expect(outcome.number == 5 && outcome.stage == 1 && outcome.code == -1005)
        #expect(outcome.errors == 1 && outcome.errorsNotKept == 0)
        let errors = try pipeline.errors()
        #expect(errors.count == 1 && errors[0].number == 5 && errors[0].text == "five")
        try pipeline.destroy()
      }
    }

    @Test(
      "collected errors drop their blocks and are listed in order", arguments: [0, 1, 2, 3, 8, 64])
    func collect(workers: Int) throws {
      for kept in [100, 2] {
        let ends = Ends()
        func failing(_ numbers: [UInt64], _ kind: StageKind) -> Stage {
          .block("failing", kind) { block in
            numbers.contains(block.pointee.number)
              ? block.fails(-2000 - Int32(block.pointee.number), "no \(block.pointee.number)") : 0
          }
        }
        let pipeline = try Pipeline(
          workers, source: ends.source(1000),
          [
            failing([900], .parallel), failing([901], .serial), failing([3, 900], .serialAnyOrder),
          ],
          sink: ends.sink
        ) {
          $0.collectsErrors = true
          $0.maxErrorsKept = kept
        }
        #expect(try pipeline.runToEnd() == .stageFailed)
        #expect(ends.delivered.all == (0..<1000).filter { ![3, 900, 901].contains($0) })
        let outcome = try pipeline.result()
        #expect(outcome.delivered == 997 && outcome.failed == 3 && outcome.errors == 3)
        #expect(outcome.number == 3 && outcome.stage == 3 && outcome.code == -2003)
        #expect(outcome.errorsNotKept == UInt64(3 - min(3, kept)))
        let errors = try pipeline.errors()
        #expect(errors.map(\.number) == Array([3, 900, 901].prefix(kept)))
        #expect(errors.map(\.stage) == Array([3, 1, 2].prefix(kept)))
        #expect(errors.map(\.text) == errors.map { "no \($0.number)" })
        try pipeline.destroy()
      }
    }

    @Test("a cancel after a collected error ends the run as cancelled", arguments: [1, 2, 8])
    func collectedAndCancelled(workers: Int) throws {
      let pipelines = Log<Pipeline>()
      let pipeline = try Pipeline(
        workers, limit: 4, source: .source(1000),
        [.block { $0.pointee.number == 3 ? $0.fails(-1003, "three") : 0 }],
        sink: .block("sink", .serial) { block in
          if block.pointee.number == 20 { try? pipelines.all[0].cancel() }
          return 0
        }
      ) { $0.collectsErrors = true }
      pipelines.append(pipeline)
      // The list says what was collected, the status that not all others were delivered.
      #expect(try pipeline.runToEnd() == .cancelled)
      let outcome = try pipeline.result()
      #expect(outcome.number == nil && outcome.stage == nil && outcome.code == 0)
      #expect(outcome.errors == 1 && outcome.delivered == 20)
      #expect(try pipeline.errors().map(\.number) == [3])
      try pipeline.destroy()
    }

    @Test("the n-th collected error ends the run before its block", arguments: [0, 1, 2, 8, 64])
    func mostFailures(workers: Int) throws {
      let ends = Ends()
      let work = Stage.block { $0.pointee.number % 10 == 5 ? $0.fails(-1000) : 0 }
      let pipeline = try Pipeline(workers, source: ends.source, [work], sink: ends.sink) {
        $0.collectsErrors = true
        $0.maxFailures = 3
      }
      #expect(try pipeline.runToEnd() == .stageFailed)
      #expect(ends.delivered.all == (0..<25).filter { $0 % 10 != 5 })
      #expect(try pipeline.errors().map(\.number) == [5, 15, 25])
      #expect(try pipeline.result().number == 5)
      try pipeline.destroy()
    }

    @Test(
      "dropped blocks are not delivered and nothing overtakes them", arguments: [0, 1, 2, 8, 64])
    func drops(workers: Int) throws {
      for limit in [1, 2, 16] {
        let ends = Ends()
        let work = Stage.block("drop", .serialAnyOrder) {
          $0.pointee.number % 3 == 0 ? StageReturn.drop : 0
        }
        let seen = Log<UInt64>()
        let check = Stage.block("check", .serial) { block in
          seen.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(
          workers, limit: limit, source: ends.source(1000), [work, check], sink: ends.sink)
        #expect(try pipeline.runToEnd() == .ok)
        let kept = (UInt64(0)..<1000).filter { $0 % 3 != 0 }
        #expect(ends.delivered.all == kept && seen.all == kept)
        let outcome = try pipeline.result()
        #expect(outcome.delivered == 666 && outcome.dropped == 334 && outcome.cut == 0)
        let statistics = try pipeline.statistics(ofStage: 1)
        #expect(statistics.calls == 1000 && statistics.blocksDropped == 334)
        #expect(statistics.blocksOut == 666)
        #expect(try pipeline.statistics(ofStage: 2).calls == 666)
        #expect(try pipeline.statistics(ofStage: 2).blocksIn == 1000)
        try pipeline.destroy()
      }
    }

    @Test("answers that mean nothing and broken blocks are errors", arguments: [0, 2])
    func badReturns(workers: Int) throws {
      let bad: [@Sendable (BlockPointer) -> Int32] = [
        { _ in 4 }, { _ in StageReturn.sourceEnd }, { _ in 6 }, { _ in .max },
        {
          $0.pointee.size = $0.pointee.capacity + 1
          return 0
        },
        {
          $0.pointee.size = -1
          return 0
        },
        {
          $0.setData(nil, size: 5, release: nil, context: nil)
          return 0
        },
      ]
      for (index, body) in bad.enumerated() {
        let ends = Ends()
        let work = Stage.block { $0.pointee.number == 3 ? body($0) : 0 }
        let pipeline = try Pipeline(workers, source: ends.source, [work], sink: ends.sink)
        #expect(try pipeline.runToEnd() == .stageFailed, "\(index)")
        #expect(try pipeline.result().code == Status.badReturn.rawValue, "\(index)")
        #expect(ends.delivered.all == [0, 1, 2])
        #expect(try pipeline.errors().first?.text.isEmpty == false)
        try pipeline.destroy()
      }
      let positive = Stage.block("source", .serial) { $0.pointee.number == 3 ? 7 : 0 }
      let pipeline = try Pipeline(workers, source: positive)
      #expect(try pipeline.runToEnd() == .stageFailed)
      #expect(try pipeline.result().stage == 0 && (try pipeline.result().number) == 3)
      try pipeline.destroy()
    }

    @Test("a code of the callback's own is never taken for missing input", arguments: [0, 2])
    func ownCodes(workers: Int) throws {
      let work = Stage.block { _ in Status.missingBlock.rawValue }
      let pipeline = try Pipeline(workers, source: .source(5), [work])
      #expect(try pipeline.runToEnd() == .stageFailed)
      try pipeline.destroy()
    }

    @Test(
      "worker hooks and finish callbacks run once, in order, also after a bad end",
      arguments: [
        0, 1, 2, 8,
      ])
    func hooks(workers: Int) throws {
      for failing in [UInt64?.none, 40] {
        let starts = Locked<[Int: Int]>([:])
        let ends = Locked<[Int: Int]>([:])
        let finished = Log<Int>()
        let destroyed = Tally()
        func stage(_ index: Int, _ kind: StageKind) -> Stage {
          .closure(
            "hooked", kind,
            workerStart: { worker in
              starts.with { $0[index * 100 + Int(worker), default: 0] += 1 }
              return (0, UnsafeMutableRawPointer(bitPattern: 1000 + Int(worker)))
            },
            workerFinish: { worker, scratch in
              ends.with { $0[index * 100 + Int(worker), default: 0] += 1 }
              if Int(bitPattern: scratch) != 1000 + Int(worker) { finished.append(-1) }
            },
            finish: { status in
              finished.append(index)
              return status == (failing == nil ? 0 : Status.stageFailed.rawValue) ? 0 : -1
            },
            destroyed: { destroyed.add() }
          ) { block, scratch, call in
            if Int(bitPattern: scratch) != 1000 + Int(call.worker) { return -1 }
            if index == 0 && block.pointee.number == 100 { return StageReturn.sourceEnd }
            if index == 1 && block.pointee.number == failing { return block.fails() }
            return 0
          }
        }
        let pipeline = try Pipeline(
          workers, source: stage(0, .serial), [stage(1, .parallel), stage(2, .serial)],
          sink: stage(3, .serial))
        #expect(try pipeline.runToEnd() == (failing == nil ? .ok : .stageFailed))
        #expect(finished.all == [0, 1, 2, 3])
        #expect(starts.with { $0 } == ends.with { $0 })
        #expect(starts.with { $0.values.allSatisfy { $0 == 1 } && !$0.isEmpty })
        #expect(destroyed.value == 0)
        try pipeline.destroy()
        #expect(destroyed.value == 4)
      }
    }

    @Test(
      "a worker that cannot start is an error of that stage at that block", arguments: [0, 1, 2])
    func failedStart(workers: Int) throws {
      let called = Tally()
      let finished = Tally()
      let stage = Stage.closure(
        workerStart: { _ in (-1234, nil) }, workerFinish: { _, _ in finished.add() }
      ) { _, _, _ in Int32(called.add()) }
      let pipeline = try Pipeline(workers, source: .source(100), [.block { _ in 0 }, stage])
      #expect(try pipeline.runToEnd() == .stageFailed)
      let outcome = try pipeline.result()
      #expect(outcome.number == 0 && outcome.stage == 2 && outcome.code == -1234)
      #expect(called.value == 0 && finished.value == 0 && outcome.delivered == 0)
      let statistics = try pipeline.statistics(ofStage: 2)
      #expect(statistics.blocksOut == 0 && statistics.blocksFailed > 0)
      try pipeline.destroy()
    }

    @Test("a failing finish callback is an error after the last block", arguments: [0, 1, 2])
    func failedFinish(workers: Int) throws {
      let statuses = Log<Int32>()
      func stage(_ code: Int32) -> Stage {
        .closure(
          finish: { status in
            statuses.append(status)
            return code
          }
        ) { _, _, _ in 0 }
      }
      let pipeline = try Pipeline(workers, source: .source(10), [stage(0), stage(-7777), stage(0)])
      #expect(try pipeline.runToEnd() == .stageFailed)
      #expect(statuses.all == [0, 0, Status.stageFailed.rawValue])
      let outcome = try pipeline.result()
      #expect(outcome.number == 10 && outcome.stage == 2 && outcome.code == -7777)
      #expect(outcome.delivered == 10 && outcome.errors == 1)
      #expect(try pipeline.errors().map(\.number) == [10])
      try pipeline.destroy()
    }
  }
}
