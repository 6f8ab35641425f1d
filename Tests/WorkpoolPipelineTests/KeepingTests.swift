// SPDX-License-Identifier: MIT
import Synchronization
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore
@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct KeepingTests {
    enum Event: CaseIterable {
      case nothing, drop, failure, wait, failureAfterWait
    }

    /// Something happens to every 13th block in one of the stages; all others are carried onward.
    @Test(
      "a block leaves the way onward in any stage, and nothing is lost or out of order",
      arguments: Pools.counts, Event.allCases)
    func leavesTheWay(workers: Int, event: Event) throws {
      let pool = Pools.of(workers)
      let kinds: [StageKind] = [.serial, .parallel, .parallel, .serial]
      let count = UInt64(TestScale.scaled(2_000))
      for place in 1...(kinds.count + 1) {
        let onward = Tally()
        let seen = (0...(kinds.count + 1)).map { _ in Locked<[UInt64]>([]) }
        @Sendable func callback(_ stage: Int, _ block: BlockPointer, _ worker: Int) -> Int32 {
          let number = block.pointee.number
          seen[stage].with { $0.append(number) }
          let run = UnsafeMutableRawPointer(block).assumingMemoryBound(to: Record.self).pointee.run
          let own = run.pointee.seats + worker
          if own.pointee.onwardStage != 0 {
            onward.add()
            if own.pointee.onwardStage != stage { return -1000 }
          }
          guard stage == place && number % 13 == 12 else { return 0 }
          if event == .wait || event == .failureAfterWait {
            do {
              let inner = try WaitingTests.pipeline(on: pool, source: .source(2))
              guard try inner.run() == .ok else { return -1001 }
              try inner.destroy()
            } catch {
              return -1002
            }
            if own.pointee.onwardStage != 0 { return -1003 }
          }
          switch event {
          case .nothing, .wait: return 0
          case .drop: return StageReturn.drop
          case .failure, .failureAfterWait: return -2000
          }
        }
        let stages = kinds.enumerated().map { index, kind in
          Stage.closure("", kind) { block, _, call in
            callback(index + 1, block, Int(call.worker))
          }
        }
        let sink = Stage.closure("sink") { block, _, call in
          callback(kinds.count + 1, block, Int(call.worker))
        }
        let pipeline = try WaitingTests.pipeline(
          on: pool, limit: 16, source: .source(count), stages, sink: sink
        ) {
          $0.collectsErrors = true
          $0.fixedBatch = 8
        }
        let status = try pipeline.runToEnd("\(event) in stage \(place), \(workers) workers")

        let hit = (0..<count).filter { $0 % 13 == 12 }
        let others = (0..<count).filter { $0 % 13 != 12 }
        let isFailure = event == .failure || event == .failureAfterWait
        #expect(status == (isFailure ? .stageFailed : .ok))
        let result = try pipeline.result()
        #expect(result.errors == (isFailure ? UInt64(hit.count) : 0))
        #expect(result.dropped == (event == .drop ? UInt64(hit.count) : 0))
        for stage in 1...(kinds.count + 1) {
          let numbers = seen[stage].with { $0 }
          let gone = stage > place && (isFailure || event == .drop)
          let expected = gone ? others : Array(0..<count)
          let isSerial = stage > kinds.count || kinds[stage - 1] == .serial
          #expect((isSerial ? numbers : numbers.sorted()) == expected)
        }
        // With one worker a run is compact from its start.
        if workers == 1 { #expect(onward.value > 0) }
        try pipeline.destroy()
      }
    }
  }
}
