// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct CarryTests {
    /// All sequences of the three kinds of length 1 to 4.
    static let sequences: [[StageKind]] = {
      var all: [[StageKind]] = []
      var longest: [[StageKind]] = [[]]
      for _ in 1...4 {
        longest = longest.flatMap { shorter in
          [.parallel, .serial, .serialAnyOrder].map { shorter + [$0] }
        }
        all += longest
      }
      return all
    }()

    /// ENGINE.md §11, A1. With `WORKPOOL_TEST_SCALE` below 100 the long runs are shorter, not fewer:
    /// every sequence, limit and worker count still occurs.
    @Test(
      "every sequence of stages keeps order, limit and exclusion, whatever limit and worker count",
      arguments: Pools.counts)
    func orderMatrix(workers: Int) throws {
      #expect(Self.sequences.count == 120)
      for kinds in Self.sequences {
        for limit in [1, 2, 3, 16] {
          for count in [0, 1, 2, max(40, TestScale.scaled(1000))] {
            let course = ObstacleCourse(kinds: kinds, count: count, limit: limit)
            try course.run(workers: workers)
          }
        }
      }
    }

    @Test("pipelines of any weight end side by side, all blocks in order", arguments: Pools.counts)
    func weights(workers: Int) throws {
      for weights in [[1, 1], [1, 1000, 3]] {
        let delivered = weights.map { _ in Log<UInt64>() }
        let pipelines = try zip(weights, delivered).map { weight, log in
          let sink = Stage.block("sink", .serial) { block in
            log.append(block.pointee.number)
            return 0
          }
          return try Pipeline(workers, source: .source(1000), [.block { _ in 0 }], sink: sink) {
            $0.weight = weight
          }
        }
        for pipeline in pipelines { try pipeline.start() }
        try pipelines[0].setWeight(500)
        #expect(pipelines.map(\.weight) == [500] + weights.dropFirst())
        for pipeline in pipelines { #expect(try pipeline.end() == .ok) }
        #expect(delivered.allSatisfy { $0.all == Array(0..<1000) })
        for weight in [0, 1001, -1] {
          #expect(throws: WorkpoolError.self) { try pipelines[0].setWeight(weight) }
          #expect(throws: WorkpoolError.self) { _ = try Pipeline(1) { $0.weight = weight } }
        }
        #expect(try pipelines[0].runToEnd() == .ok)
        for pipeline in pipelines { try pipeline.destroy() }
      }
    }

    @Test("a pipeline without stages and one without blocks end well", arguments: Pools.counts)
    func empty(workers: Int) throws {
      for count in [UInt64(0), 5] {
        let finished = Tally()
        let source = Stage.closure("source", .serial, finish: { _ in Int32(finished.add()) }) {
          block, _, _ in
          block.pointee.number == count ? StageReturn.sourceEnd : StageReturn.ok
        }
        let pipeline = try Pipeline(workers, source: source)
        #expect(try pipeline.runToEnd() == .ok)
        #expect(finished.value == 1)
        let outcome = try pipeline.result()
        #expect(outcome.delivered == count)
        #expect(outcome.number == nil && outcome.stage == nil)
        #expect(try pipeline.errors().isEmpty)
        let statistics = try pipeline.statistics()
        #expect(statistics.blocksIn == count && statistics.blocksOut == count)
        #expect(statistics.inFlight == 0)
        if count == 0 { #expect(statistics.inFlightMax == 0) }
        try pipeline.destroy()
      }
    }

    @Test("a stage for k blocks at once is filled to k and never beyond", arguments: [2, 3, 8])
    func limitedConcurrency(workers: Int) throws {
      for k in 1...3 {
        let width = min(k, workers)
        let inside = Tally()
        let gate = Gate(opensAt: width)
        let stage = Stage.block("limited", .parallel, concurrency: k) { block in
          inside.add()
          if block.pointee.number < 32 { gate.pass("\(width) of \(k) places of a stage") }
          inside.add(-1)
          return StageReturn.ok
        }
        let pipeline = try Pipeline(workers, limit: 16, source: .source(2000), [stage])
        #expect(try pipeline.runToEnd() == .ok)
        #expect(inside.peak >= width && inside.peak <= k)
        try pipeline.destroy()
      }
    }

    @Test("a parallel stage uses all workers at once", arguments: [1, 2, 3, 8, 64])
    func fullWidth(workers: Int) throws {
      for trial in 0..<5 {
        let gate = Gate(opensAt: workers)
        let stage = Stage.block { block in
          // Tiny blocks first: the run becomes compact and must spread again.
          if block.pointee.number >= UInt64(trial * 500) { gate.pass("\(workers) workers at once") }
          return StageReturn.ok
        }
        let pipeline = try Pipeline(
          workers, limit: 2 * workers, source: .source(UInt64(trial * 500 + 4 * workers)), [stage])
        #expect(try pipeline.runToEnd() == .ok)
        try pipeline.destroy()
      }
    }

    @Test("a slow block does not keep other blocks from the stage", arguments: [2, 3, 8])
    func slowHead(workers: Int) throws {
      let limit = 2 * workers
      let gate = Gate()
      let others = Tally()
      let delivered = Log<UInt64>()
      let stage = Stage.block { block in
        if block.pointee.number == 0 {
          gate.pass("the rest of the window")
        } else if others.add() == limit - 1 {
          gate.open()
        }
        return StageReturn.ok
      }
      let sink = Stage.block("sink", .serial) { block in
        delivered.append(block.pointee.number)
        return StageReturn.ok
      }
      let pipeline = try Pipeline(workers, limit: limit, source: .source(100), [stage], sink: sink)
      #expect(try pipeline.runToEnd() == .ok)
      #expect(delivered.all == Array(0..<100))
      try pipeline.destroy()
    }

    @Test("stages may be of any kind up to 62 of them", arguments: [1, 2, 8])
    func manyStages(workers: Int) throws {
      let kinds = (0..<Pipeline.mostStages).map {
        [StageKind.parallel, .serial, .serialAnyOrder][$0 % 3]
      }
      try ObstacleCourse(kinds: kinds, count: 200, limit: 8).run(workers: workers)
    }
  }
}
