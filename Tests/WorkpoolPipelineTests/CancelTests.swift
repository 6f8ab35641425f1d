// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// Acceptance scenario A11: cancel everywhere.
  @Suite struct CancelTests {
    /// Where a cancel comes from.
    enum Place: CaseIterable {
      case thread, source, parallelStage, serialStage, sink, workerStart, release, progress, token
      case parentToken, signal
    }

    @Test(
      "a cancel from anywhere ends the run: nothing begins after it, everything is cleaned",
      arguments: Place.allCases, Pools.counts)
    func everywhere(place: Place, workers: Int) throws {
      for limit in [1, 3, 16] {
        let (payloads, ids) = (Payloads(), Tally())
        let (calls, isOver) = (Tally(), Tally())
        let finished = Log<Int32>()
        let isRunning = Gate()
        let target = Locked<Pipeline?>(nil)
        let root = try Token()
        let token = try Token(parent: root)
        @Sendable func cancel() {
          // Twice is as good as once.
          for _ in 0..<2 { try? target.with { $0 }?.cancel() }
        }
        @Sendable func called(_ here: Place, _ number: UInt64) -> Int32 {
          #expect(isOver.value == 0)
          if calls.add() == 50 { isRunning.open() }
          if here == place && number == 20 { cancel() }
          return 0
        }
        payloads.whenReleased.with { $0 = { if place == .release && $0 == 20 { cancel() } } }
        let pipeline = try Pipeline(
          workers, limit: limit,
          source: .block("source", .serial) {
            payloads.attach(UInt64(ids.add()), to: $0)
            return called(.source, $0.pointee.number)
          },
          [
            .block("parallel") { called(.parallelStage, $0.pointee.number) },
            .block("any", .serialAnyOrder) {
              called(.parallelStage, $0.pointee.number + 1_000_000)
            },
            .closure(
              "serial", .serial,
              workerStart: { _ in
                if place == .workerStart { cancel() }
                return (0, nil)
              },
              finish: {
                finished.append($0)
                return 0
              }
            ) { block, _, _ in called(.serialStage, block.pointee.number) },
          ], sink: .block("sink", .serial) { called(.sink, $0.pointee.number) }
        ) { $0.token = token }
        target.with { $0 = pipeline }
        if place == .progress {
          try pipeline.subscribe(every: 1) { _ in cancel() }
        }
        try pipeline.start()
        let waiters = Threads(3) { _ in #expect((try? pipeline.wait()) == .cancelled) }
        switch place {
        case .thread:
          isRunning.pass("a run")
          cancel()
        case .token:
          isRunning.pass("a run")
          token.cancel()
        case .parentToken:
          isRunning.pass("a run")
          root.cancel()
        case .signal:
          isRunning.pass("a run")
          token.mark(.user)
        default: break
        }
        #expect(try pipeline.end("\(place)") == .cancelled)
        isOver.add()
        waiters.join()
        let outcome = try pipeline.result()
        #expect(outcome.status == .cancelled && outcome.errors == 0)
        #expect(finished.all == [Status.cancelled.rawValue])
        #expect(payloads.isEachOnce && payloads.releases == ids.value)
        try pipeline.cancel()
        #expect(try pipeline.wait() == .cancelled)
        try pipeline.destroy()
        target.with { $0 = nil }
      }
    }

    @Test("whoever waits is told, whatever it waits for", arguments: Pools.counts)
    func waiters(workers: Int) throws {
      for isNumbered in [false, true] {
        let pipeline = try Pipeline(workers, limit: 2, [.block("s", .serial) { _ in 0 }]) {
          $0.pullsResults = true
          $0.readerIsAnotherThread = true
        }
        try pipeline.start()
        // All places are taken and nothing can be read: number 0 is missing, or the results are held.
        var held: [PipelineResult] = []
        if isNumbered {
          #expect(try pipeline.submit(number: 1, Submission(1)) == .ok)
        } else {
          #expect(try pipeline.submit(Submission(0)) == .ok)
          #expect(try pipeline.submit(Submission(1)) == .ok)
          if let result = try pipeline.nextResult().1 { held.append(result) }
        }
        let answers = Log<Status>()
        let waiters = Threads(6) { index in
          let answer: Status? =
            switch index {
            case 0, 1: try? pipeline.wait()
            case 2, 3:
              isNumbered
                ? try? pipeline.submit(number: 2, Submission(2))
                : try? pipeline.submit(Submission(2))
            case 4 where isNumbered: try? pipeline.nextResult().0
            case 5 where isNumbered: try? pipeline.flush()
            default: .cancelled
            }
          if let answer { answers.append(answer) }
        }
        try pipeline.cancel()
        waiters.join()
        #expect(answers.all == Array(repeating: .cancelled, count: 6))
        #expect(try pipeline.end() == .cancelled)
        for result in held { result.release() }
        try pipeline.destroy()
      }
    }

    @Test("cancelled before the start: nothing is called; after the end: nothing changes")
    func beforeAndAfter() throws {
      for workers in Pools.counts + [0] {
        let (calls, token) = (Tally(), try Token())
        let pipeline = try Pipeline(
          workers, source: .source(3) { _ in calls.add() }, [.block { _ in 0 }]
        ) { $0.token = token }
        #expect(throws: WorkpoolError.self) { try pipeline.cancel() }
        #expect(try pipeline.runToEnd() == .ok)
        for _ in 0..<2 { try pipeline.cancel() }
        #expect(try pipeline.result().status == .ok)
        if workers > 0 { #expect(try pipeline.wait() == .ok) }
        token.cancel()
        #expect(try pipeline.result().status == .ok)
        #expect(calls.value == 3)
        #expect(throws: WorkpoolError.self) { _ = try pipeline.run() }
        #expect(calls.value == 3)
        try pipeline.destroy()
      }
    }
  }
}
