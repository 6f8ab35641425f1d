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
      gate.open()
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.statistics(ofStage: 2).parked == 7)
      #expect(try pipeline.statistics(ofStage: 1).parked == 0)
      try pipeline.destroy()
    }
  }
}
