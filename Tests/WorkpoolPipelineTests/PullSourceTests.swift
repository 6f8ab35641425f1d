// SPDX-License-Identifier: MIT
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct PullSourceTests {
    @Test(
      "the limit is reached while the first block is held up, and never passed",
      arguments: [
        2, 3, 8, 64,
      ])
    func exactLimit(workers: Int) throws {
      for limit in [1, 2, 5, 16, 100] {
        for kind in [StageKind.parallel, .serialAnyOrder] {
          let payloads = Payloads()
          let live = Tally()
          payloads.whenReleased.with { $0 = { _ in live.add(-1) } }
          let gate = Gate()
          let source = Stage.block("source", .serial) { block in
            if block.pointee.number == 2000 { return StageReturn.sourceEnd }
            payloads.attach(block.pointee.number, to: block)
            if live.add() == limit { gate.open() }
            return 0
          }
          // The held block is dropped, others too: a tombstone keeps its place.
          let work = Stage.block { block in
            if block.pointee.number == 0 && limit > 1 { gate.pass("\(limit) live blocks") }
            return 0
          }
          let pipeline = try Pipeline(
            workers, limit: limit, source: source, [work, .block("", kind) { _ in 0 }])
          #expect(try pipeline.runToEnd("limit \(limit)") == .ok)
          #expect(live.peak == limit && live.value == 0)
          #expect(try pipeline.statistics().inFlightMax == UInt64(limit))
          try pipeline.destroy()
        }
      }
    }

    @Test("dropped blocks free their payload at once and keep their place", arguments: [2, 8])
    func tombstones(workers: Int) throws {
      let limit = 8
      let payloads = Payloads()
      let gate = Gate()
      let called = Tally()
      let source = Stage.block("source", .serial) { block in
        if block.pointee.number == 500 { return StageReturn.sourceEnd }
        payloads.attach(block.pointee.number, to: block)
        called.add()
        return 0
      }
      let work = Stage.block { block in
        if block.pointee.number > 0 { return StageReturn.drop }
        gate.pass("the others")
        return 0
      }
      let pipeline = try Pipeline(workers, limit: limit, source: source, [work])
      try pipeline.start()
      let deadline = Clock.now + TestScale.patienceNanoseconds
      while payloads.releases < limit - 1 && Clock.now < deadline {}
      #expect(payloads.count(.dropped) == limit - 1)
      #expect(called.value == limit)
      gate.open()
      #expect(try pipeline.end() == .ok)
      #expect(payloads.count(.delivered) == 1 && payloads.count(.dropped) == 499)
      try pipeline.destroy()
    }

    @Test("a failing source is not asked again", arguments: [0, 1, 2, 8])
    func failing(workers: Int) throws {
      for collects in [false, true] {
        let called = Tally()
        let source = Stage.block("source", .serial) { block in
          called.add()
          return block.pointee.number == 10 ? block.fails(-1010, "no more") : 0
        }
        let pipeline = try Pipeline(workers, source: source, [.block { _ in 0 }]) {
          $0.collectsErrors = collects
        }
        #expect(try pipeline.runToEnd() == .stageFailed)
        let outcome = try pipeline.result()
        #expect(called.value == 11 && outcome.delivered == 10)
        #expect(outcome.number == 10 && outcome.stage == 0 && outcome.code == -1010)
        try pipeline.destroy()
      }
    }

    @Test("a payload that the source leaves at the end of input is given back")
    func leftover() throws {
      for workers in [0, 2] {
        let payloads = Payloads()
        let source = Stage.block("source", .serial) { block in
          payloads.attach(block.pointee.number, to: block)
          return block.pointee.number == 3 ? StageReturn.sourceEnd : 0
        }
        let pipeline = try Pipeline(workers, source: source)
        #expect(try pipeline.runToEnd() == .ok)
        #expect(payloads.count(.delivered) == 3 && payloads.count(.cut) == 1)
        try pipeline.destroy()
      }
    }

    /// The last blocks of the input are taken in one go; each of them needs a worker of its own.
    @Test("the last blocks get as many workers as the others", arguments: [2, 3, 8])
    func lastBlocks(workers: Int) throws {
      for trial in 0..<TestScale.scaled(100) {
        let count = UInt64(500 + trial)
        let gate = Gate(opensAt: 2)
        let work = Stage.block { block in
          var sum = block.pointee.number
          for _ in 0..<200 { sum = sum &* 3 &+ 1 }
          block.pointee.meta.0 = sum
          if block.pointee.number + 2 >= count { gate.pass("the last two blocks") }
          return 0
        }
        let pipeline = try Pipeline(workers, limit: 64, source: .source(count), [work])
        #expect(try pipeline.runToEnd() == .ok)
        try pipeline.destroy()
      }
    }
  }
}
