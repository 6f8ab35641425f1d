// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct PipelineStatisticsTests {
    @Test("the counts of all stages add up", arguments: [0, 1, 2, 8])
    func sums(workers: Int) throws {
      let source = Stage.block("source", .serial) { block in
        if block.pointee.number == 1000 { return StageReturn.sourceEnd }
        guard block.reserve(10) else { return -1 }
        block.pointee.size = 10
        return block.pointee.number % 10 == 9 ? StageReturn.drop : 0
      }
      let halve = Stage.block("halve", .parallel) { block in
        block.pointee.size = 5
        return block.pointee.number % 10 == 0 ? StageReturn.drop : 0
      }
      let fail = Stage.block("fail", .serial) { $0.pointee.number % 10 == 1 ? $0.fails() : 0 }
      let pipeline = try Pipeline(
        workers, source: source, [halve, fail, .block("all", .serialAnyOrder) { _ in 0 }]
      ) {
        $0.collectsErrors = true
      }
      #expect(try pipeline.runToEnd() == .stageFailed)
      let stages = try (0..<pipeline.stageCount).map { try pipeline.statistics(ofStage: $0) }
      #expect(stages.map(\.name) == ["source", "halve", "fail", "all", "end"])
      #expect(stages.map(\.kind) == [.serial, .parallel, .serial, .serialAnyOrder, .serial])
      #expect(stages.map(\.blocksIn) == [1000, 1000, 1000, 1000, 1000])
      #expect(stages.map(\.calls) == [1001, 900, 800, 700, 0])
      #expect(stages.map(\.blocksOut) == [900, 800, 700, 700, 700])
      #expect(stages.map(\.blocksDropped) == [100, 100, 0, 0, 0])
      #expect(stages.map(\.blocksFailed) == [0, 0, 100, 0, 0])
      #expect(stages.map(\.blocksCut) == [0, 0, 0, 0, 0])
      #expect(stages.map(\.bytesIn) == [0, 9000, 4000, 3500, 0])
      #expect(stages.map(\.bytesOut) == [9_000, 4000, 3500, 3500, 0])
      for stage in stages where stage.calls > 0 {
        #expect(stage.timedCalls > 0 && stage.timedCalls <= stage.calls)
        #expect(stage.minNanoseconds <= stage.maxNanoseconds)
        #expect(stage.busyNanoseconds >= stage.minNanoseconds)
      }
      let all = try pipeline.statistics()
      #expect(all.stages == 5 && all.blocksIn == 1000 && all.blocksOut == 700)
      #expect(all.inFlight == 0 && all.inFlightMax >= 1 && all.wallNanoseconds > 0)
      #expect(try pipeline.statistics().wallNanoseconds == all.wallNanoseconds)
      try pipeline.destroy()
    }

    @Test("a numbered block counts as soon as it is in, whatever waits before it")
    func numbered() throws {
      let pipeline = try Pipeline(2, limit: 4, [.block { _ in 0 }])
      try pipeline.start()
      #expect(try pipeline.submit(number: 2, Submission(2)) == .ok)
      #expect(try pipeline.submit(number: 1, nil) == .ok)
      #expect(try pipeline.statistics().blocksIn == 2)
      #expect(try pipeline.submit(number: 0, Submission(0)) == .ok)
      #expect(try pipeline.flush() == .ok)
      #expect(try pipeline.statistics().blocksIn == 3)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.statistics().blocksIn == 3)
      try pipeline.destroy()
    }

    @Test("snapshots may be taken while a run goes on", arguments: [1, 2, 8])
    func whileRunning(workers: Int) throws {
      let isOver = Tally()
      let pipeline = try Pipeline(
        workers,
        source: .block("source", .serial) { _ in isOver.value > 0 ? StageReturn.sourceEnd : 0 },
        [.block { _ in 0 }])
      try pipeline.start()
      var before: UInt64 = 0
      for _ in 0..<TestScale.scaled(2000) {
        let all = try pipeline.statistics()
        #expect(all.blocksIn >= before && all.inFlight <= all.limit && all.inFlightMax <= all.limit)
        before = all.blocksIn
        _ = try pipeline.statistics(ofStage: 1)
      }
      isOver.add()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("blocks that wait for their turn or a place are counted", arguments: [2, 8])
    func parked(workers: Int) throws {
      let gate = Gate()
      let arrived = Tally()
      let pipeline = try Pipeline(
        workers, limit: 8, source: .source(8),
        [
          .block { block in
            if block.pointee.number == 0 { gate.pass("block 1") }
            return 0
          },
          .block("serial", .serial) { _ in Int32(arrived.add() * 0) },
        ])
      try pipeline.start()
      let deadline = Clock.now + TestScale.patienceNanoseconds
      while try pipeline.statistics(ofStage: 2).parked < 7 && Clock.now < deadline {}
      #expect(arrived.value == 0)
      #expect(try pipeline.statistics(ofStage: 2).parkedNow == 7)
      gate.open()
      #expect(try pipeline.end() == .ok)
      let serial = try pipeline.statistics(ofStage: 2)
      #expect(serial.parked == 7 && serial.parkedNow == 0 && serial.parkedMax == 7)
      #expect(serial.orderWaitNanoseconds > 0 && serial.placeWaitNanoseconds == 0)
      #expect(serial.concurrencyMax == 1)
      #expect(try pipeline.statistics(ofStage: 1).parked == 0)
      try pipeline.destroy()
    }

    @Test("calls at once and waiting for a place are seen", arguments: [(8, 0), (8, 3), (3, 2)])
    func together(workers: Int, limit: Int) throws {
      let most = limit == 0 ? workers : limit
      let gate = Gate()
      let stage = Stage.closure("limited", .parallel, concurrency: limit) { _, _, _ in
        gate.pass()
        return 0
      }
      // A stage that may block keeps nobody back: all workers come.
      var source = Stage.source(16)
      source.mayBlock = true
      let pipeline = try Pipeline(workers, limit: 16, source: source, [stage])
      try pipeline.start()
      gate.waitForArrivals(most)
      let deadline = Clock.now + TestScale.patienceNanoseconds
      while try limit > 0 && pipeline.statistics(ofStage: 1).parkedNow == 0
        && Clock.now < deadline
      {}
      gate.open()
      #expect(try pipeline.end() == .ok)
      let seen = try pipeline.statistics(ofStage: 1)
      #expect(seen.concurrencyMax == UInt64(most))
      #expect((seen.placeWaitNanoseconds > 0) == (limit > 0))
      #expect(seen.parkedNow == 0 && seen.orderWaitNanoseconds == 0)
      try pipeline.destroy()
    }

    @Test("a level says what is measured", arguments: [0, 1, 3])
    func levels(workers: Int) throws {
      for level in [StatisticsLevel.off, .times] {
        let pipeline = try Pipeline(
          workers, source: .source(600), [.block { _ in 0 }, .block("s", .serial) { _ in 0 }]
        ) {
          $0.statistics = level
        }
        #expect(try pipeline.runToEnd() == .ok)
        for index in 0..<3 {
          let stage = try pipeline.statistics(ofStage: index)
          #expect(stage.calls == (index == 0 ? 601 : 600))
          #expect(stage.timedCalls == (level == .off ? 0 : stage.calls))
          #expect((stage.busyNanoseconds > 0) == (level == .times))
          #expect((stage.concurrencyMax > 0) == (level == .times))
          #expect(stage.minNanoseconds <= stage.p50Nanoseconds)
          #expect(stage.p50Nanoseconds <= stage.p99Nanoseconds)
          #expect(stage.p99Nanoseconds <= stage.maxNanoseconds)
          #expect(stage.cpuNanoseconds <= stage.busyNanoseconds)
        }
        let all = try pipeline.statistics()
        #expect((all.bottleneckStage == nil) == (level == .off))
        if level == .off {
          #expect(all.starvedNanoseconds == 0 && all.throttledNanoseconds == 0)
        }
        #expect(workers == 0 || all.carried + all.handedOver == 3 * 600)
        try pipeline.destroy()
      }
    }

    @Test("a source that waits for a place is throttled, one that brings nothing starves the rest")
    func throttledAndStarved() throws {
      let source = Gate()
      let sink = Gate()
      let pipeline = try Pipeline(
        2, limit: 3,
        source: .block("source", .serial) { block in
          if block.pointee.number == 0 { source.pass() }
          return block.pointee.number == 20 ? StageReturn.sourceEnd : 0
        }, [],
        sink: .block("sink", .serial) { block in
          if block.pointee.number == 0 { sink.pass() }
          return 0
        })
      try pipeline.start()
      source.waitForArrivals(1)
      let early = try pipeline.statistics()
      #expect(early.starvedNanoseconds > 0 && early.throttledNanoseconds == 0)
      source.open()
      sink.waitForArrivals(1)
      let deadline = Clock.now + TestScale.patienceNanoseconds
      while try pipeline.statistics().throttledNanoseconds == 0 && Clock.now < deadline {}
      sink.open()
      #expect(try pipeline.end() == .ok)
      let late = try pipeline.statistics()
      #expect(late.throttledNanoseconds > 0 && late.throttledNanoseconds <= late.wallNanoseconds)
      #expect(late.starvedNanoseconds >= early.starvedNanoseconds)
      #expect(late.starvedNanoseconds <= late.wallNanoseconds)
      try pipeline.destroy()
    }

    @Test("what threads of the host wait for is added up, and bytes are counted")
    func hostWaits() throws {
      let gate = Gate()
      let pipeline = try Pipeline(
        1, limit: 1, source: nil,
        [
          .block { block in
            if block.pointee.number == 0 { gate.pass() }
            return 0
          }
        ]
      ) {
        $0.pullsResults = true
        $0.readerIsAnotherThread = true
      }
      try pipeline.start()
      let payloads = Payloads()
      #expect(try pipeline.submit(payloads.make(0)) == .ok)
      gate.waitForArrivals(1)
      // The time may be over before it comes to waiting.
      while try pipeline.statistics().resultWaitNanoseconds == 0 {
        #expect(try pipeline.nextResult(timeout: 1_000_000).0 == .timedOut)
      }
      while try pipeline.statistics().submitWaitNanoseconds == 0 {
        #expect(try pipeline.submit(Submission(), timeout: 1_000_000) == .timedOut)
      }
      let waited = try pipeline.statistics()
      #expect(waited.throttledNanoseconds == waited.submitWaitNanoseconds)
      #expect(waited.bytesIn == UInt64(Payloads.size) && waited.bytesOut == 0)
      gate.open()
      try #require(try pipeline.nextResult().1).release()
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.statistics().bytesOut == UInt64(Payloads.size))
      try pipeline.destroy()
    }
  }
}
