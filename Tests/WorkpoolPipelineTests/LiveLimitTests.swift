// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// A limit that changes before, between and during runs.
  @Suite struct LiveLimitTests {
    @Test("the window's capacity is a power of two from the limit to 65536")
    func capacities() throws {
      for (limit, capacity, isGood) in [
        (16, 16, true), (16, 64, true), (17, 32, true), (1, 1, true), (100, 65_536, true),
        (17, 16, false), (16, 24, false), (16, -16, false), (16, 131_072, false),
      ] {
        let make = {
          let pipeline = try Pipeline(1, limit: limit, source: .source(500)) {
            $0.windowCapacity = capacity
          }
          #expect(try pipeline.runToEnd() == .ok)
          #expect(throws: WorkpoolError.self) { try pipeline.setMaxBlocksInFlight(capacity + 1) }
          #expect(throws: WorkpoolError.self) { try pipeline.setMaxBlocksInFlight(0) }
          try pipeline.setMaxBlocksInFlight(capacity)
          #expect(pipeline.maxBlocksInFlight == capacity)
          #expect(try pipeline.runToEnd() == .ok)
          try pipeline.destroy()
        }
        if isGood { try make() } else { #expect(throws: WorkpoolError.self) { try make() } }
      }
      for (limit, most) in [(1, 256), (256, 256), (257, 512)] {
        let pipeline = try Pipeline(1, limit: limit)
        try pipeline.setMaxBlocksInFlight(most)
        #expect(throws: WorkpoolError.self) { try pipeline.setMaxBlocksInFlight(most + 1) }
        try pipeline.destroy()
      }
    }

    @Test(
      "a raised limit is reached at once, a lowered one by the blocks that leave",
      arguments: Pools.counts)
    func steps(workers: Int) throws {
      let living = Living()
      let pipeline = try Pipeline(workers, limit: 2, source: living.source(100)) {
        $0.pullsResults = true
      }
      try pipeline.start()
      living.wait(for: 2, "limit 2")
      try pipeline.setMaxBlocksInFlight(5)
      living.wait(for: 5, "limit 5")
      #expect(try pipeline.statistics().limit == 5)
      try pipeline.setMaxBlocksInFlight(3)
      var read = 0
      for left in [4, 3] {
        let (status, result) = try pipeline.nextResult()
        #expect(status == .ok)
        result?.release()
        read += 1
        #expect(living.live.value == left)
      }
      // From here on blocks come in again, one for each that leaves.
      for _ in 0..<20 {
        let (status, result) = try pipeline.nextResult()
        #expect(status == .ok)
        result?.release()
        read += 1
        living.wait(for: 3, "limit 3")
        #expect(try pipeline.statistics().inFlight == 3)
      }
      #expect(living.live.peak == 5)
      try pipeline.setMaxBlocksInFlight(1)
      while case (.ok, let result?) = try pipeline.nextResult() {
        result.release()
        read += 1
      }
      #expect(read == 100 && living.live.value == 0)
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.statistics().inFlightMax == 5)

      // The limit stays for the next run.
      try pipeline.start()
      living.wait(for: 1, "second run")
      try pipeline.cancel()
      #expect(try pipeline.end() == .cancelled)
      try pipeline.setMaxBlocksInFlight(4)
      try pipeline.start()
      living.wait(for: 4, "third run")
      try pipeline.destroy()
      #expect(living.live.value == 0)
    }

    @Test("a raised limit wakes submitters, a lowered one lets nobody in", arguments: Pools.counts)
    func submitters(workers: Int) throws {
      let pipeline = try Pipeline(workers, limit: 1) {
        $0.pullsResults = true
        $0.readerIsAnotherThread = true
      }
      try pipeline.start()
      let accepted = Tally()
      let threads = Threads(5) { index in
        #expect((try? pipeline.submit(Submission(UInt64(index)))) == .ok)
        accepted.add()
      }
      func wait(for count: Int) {
        waitUntil { accepted.value == count }
        #expect(accepted.value == count)
      }
      wait(for: 1)
      try pipeline.setMaxBlocksInFlight(3)
      wait(for: 3)
      try pipeline.setMaxBlocksInFlight(2)
      for count in [3, 4, 5] {
        let (status, result) = try pipeline.nextResult()
        #expect(status == .ok)
        result?.release()
        wait(for: count)
      }
      #expect(try pipeline.statistics().inFlightMax == 3)
      #expect(try pipeline.submit(Submission(9), timeout: 0) == .wouldBlock)
      try pipeline.setMaxBlocksInFlight(3)
      #expect(try pipeline.submit(Submission(9), timeout: 0) == .ok)
      try pipeline.destroy()
      threads.join()
    }

    @Test("a limit below what is in flight: who waits is told what to do", arguments: [1, 2, 8])
    func belowFlight(workers: Int) throws {
      let gate = Gate()
      let pipeline = try Pipeline(
        workers, limit: 4,
        [
          .block("", .serial) { block in
            if block.pointee.number == 3 { gate.pass("block 3") }
            return 0
          }
        ]
      ) { $0.pullsResults = true }
      try pipeline.start()
      for number in 0..<4 { #expect(try pipeline.submit(Submission(UInt64(number))) == .ok) }
      var held: [PipelineResult] = []
      for _ in 0..<3 {
        let (status, result) = try pipeline.nextResult()
        #expect(status == .ok)
        if let result { held.append(result) }
      }
      try pipeline.setMaxBlocksInFlight(2)
      // The host holds more than the limit, but one more result is under way.
      #expect(try pipeline.submit(Submission(4)) == .resultsWaiting)
      #expect(try pipeline.nextResult(timeout: 0).0 == .wouldBlock)
      #expect(try pipeline.flush(timeout: 0) == .timedOut)
      gate.open()
      let (status, result) = try pipeline.nextResult()
      #expect(status == .ok)
      if let result { held.append(result) }
      #expect(try pipeline.flush() == .ok)
      #expect(try pipeline.nextResult().0 == .wouldDeadlock)
      #expect(try pipeline.wait() == .resultsWaiting)
      for result in held { result.release() }
      #expect(try pipeline.submit(Submission(4)) == .ok)
      try pipeline.destroy()
    }

    @Test("the window of numbered blocks follows the limit", arguments: [1, 2, 8])
    func numbered(workers: Int) throws {
      let pipeline = try Pipeline(workers, limit: 2)
      try pipeline.start()
      #expect(try pipeline.submit(number: 2, Submission(), timeout: 0) == .wouldBlock)
      let threads = Threads(3) { index in
        #expect((try? pipeline.submit(number: UInt64(2 + index), Submission())) == .ok)
      }
      try pipeline.setMaxBlocksInFlight(5)
      threads.join()
      #expect(try pipeline.submit(number: 5, Submission(), timeout: 0) == .wouldBlock)
      try pipeline.setMaxBlocksInFlight(1)
      #expect(try pipeline.submit(number: 1, Submission(), timeout: 0) == .wouldBlock)
      #expect(try pipeline.submit(number: 0, Submission(), timeout: 0) == .ok)
      #expect(try pipeline.submit(number: 1, Submission()) == .ok)
      #expect(try pipeline.submit(number: 5, Submission()) == .ok)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.result().delivered == 6)
      try pipeline.destroy()
    }

    @Test("the serial reference ignores the limit")
    func reference() throws {
      let living = Living()
      let pipeline = try Pipeline(0, limit: 16, source: living.source(50))
      try pipeline.setMaxBlocksInFlight(100)
      #expect(try pipeline.run() == .ok)
      #expect(living.live.peak == 1)
      try pipeline.destroy()
    }

    @Test(
      "threads that change the limit all the time lose no block and no place",
      arguments: Pools.counts)
    func storm(workers: Int) throws {
      for isPushed in [false, true] {
        let seed = SeededRandom.seeds(1)[0]
        let living = Living()
        let count = UInt64(TestScale.scaled(3000))
        let most = 9
        let work = Stage.block("work", .parallel) {
          $0.pointee.number % 5 == 3 ? StageReturn.drop : 0
        }
        let stages = [
          work, .block("any", .serialAnyOrder) { _ in 0 }, .block("two", concurrency: 2) { _ in 0 },
        ]
        let pipeline = try Pipeline(
          workers, limit: most, source: isPushed ? nil : living.source(count), stages)
        try pipeline.start()
        let isOver = Atomic<Bool>(false)
        let changers = Threads(3) { index in
          var random = SeededRandom(seed: seed + UInt64(index))
          while !isOver.load(ordering: .relaxed) {
            try? pipeline.setMaxBlocksInFlight(1 + random.below(most))
            _ = try? pipeline.statistics()
            wpl_yield()
          }
        }
        if isPushed {
          let next = Tally()
          let producers = Threads(3) { _ in
            while next.add() <= count {
              let submission = living.payloads.make(UInt64(next.value))
              living.live.add()
              #expect((try? pipeline.submit(submission)) == .ok)
            }
          }
          producers.join()
          try pipeline.close()
        }
        #expect(try pipeline.end("seed \(seed)") == .ok)
        isOver.store(true, ordering: .relaxed)
        changers.join()
        #expect(living.live.value == 0)
        // A producer counts its block before it is let in.
        #expect(living.live.peak <= most + (isPushed ? 3 : 0), "seed \(seed)")
        #expect(try pipeline.statistics().inFlightMax <= UInt64(most))
        #expect(try pipeline.statistics().inFlight == 0)
        #expect(try pipeline.result().delivered == count - (count + 1) / 5)
        try pipeline.destroy()
      }
    }
  }
}
