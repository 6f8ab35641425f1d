// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// The limit of bytes in flight. A payload of `Living` has 16 bytes.
  @Suite struct WeightsTests {
    @Test("a block weighs its size, or what it says, and no sum overflows")
    func charges() {
      var block = Block()
      #expect(block.charge == 0)
      block.size = 70
      #expect(block.charge == 70)
      block.weight = 5
      #expect(block.charge == 5)
      block.weight = .max
      #expect(block.charge == Weights.most)
      #expect(Weights.most.multipliedReportingOverflow(by: 65_536).overflow == false)
    }

    @Test("adding stops at the limit, subtracting says when there is room again")
    func arithmetic() {
      let weights = Weights(limit: 10)
      #expect(weights.addIfRoom(9) && weights.addIfRoom(50) && !weights.addIfRoom(1))
      #expect(weights.isFull && !weights.hasRoom && weights.peak == 59)
      #expect(!weights.subtract(49) && weights.subtract(1) && !weights.subtract(1))
      #expect(weights.current == 8 && weights.hasRoom)
      weights.setLimit(8)
      #expect(weights.isFull && !weights.addIfRoom(0))
      weights.setLimit(0)
      #expect(!weights.isFull && weights.addIfRoom(1 << 40) && !weights.subtract(1 << 40))
    }

    @Test(
      "the limit of bytes is reached, and passed by less than a block", arguments: Pools.counts)
    func exact(workers: Int) throws {
      for kind in [StageKind.parallel, .serial, .serialAnyOrder] {
        let living = Living()
        let pipeline = try Pipeline(
          workers, limit: 50, source: living.source(100), [.block("", kind) { _ in 0 }]
        ) {
          $0.pullsResults = true
          $0.maxBytesInFlight = 35
        }
        try pipeline.start()
        func read(_ count: Int) throws {
          for _ in 0..<count {
            let (status, result) = try pipeline.nextResult()
            #expect(status == .ok)
            result?.release()
          }
        }
        // A block weighs from the end of the source's call on.
        func wait(for bytes: UInt64) {
          waitUntil("\(bytes) bytes") { (try? pipeline.statistics().bytesInFlight) == bytes }
        }
        living.wait(for: 3, "35 bytes")
        wait(for: 48)
        for _ in 0..<10 {
          try read(1)
          living.wait(for: 3, "35 bytes again")
        }
        #expect(living.live.peak == 3)
        try pipeline.setMaxBytesInFlight(100)
        living.wait(for: 7, "100 bytes")
        wait(for: 112)
        try pipeline.setMaxBytesInFlight(20)
        try read(5)
        #expect(living.live.value == 2)
        try read(1)
        living.wait(for: 2, "20 bytes")
        #expect(living.live.peak == 7)
        #expect(try pipeline.statistics().bytesInFlightMax == 112)
        // The limit of blocks holds too.
        try pipeline.setMaxBytesInFlight(0)
        living.wait(for: 50, "50 blocks")
        try pipeline.setMaxBytesInFlight(1)
        try read(84)
        #expect(try pipeline.nextResult().0 == .end)
        #expect(try pipeline.end() == .ok)
        #expect(living.live.value == 0 && living.payloads.isEachOnce)
        #expect(try pipeline.statistics().bytesInFlight == 0)
        try pipeline.destroy()
      }
    }

    @Test("a block larger than the limit passes alone", arguments: Pools.counts)
    func oversize(workers: Int) throws {
      let living = Living()
      let source = living.source(200) { $0.pointee.weight = 1000 + $0.pointee.number }
      let pipeline = try Pipeline(
        workers, source: source, [.block { _ in 0 }, .block("", .serial) { _ in 0 }]
      ) { $0.maxBytesInFlight = 1 }
      #expect(try pipeline.runToEnd() == .ok)
      #expect(living.live.peak == 1)
      #expect(try pipeline.statistics().bytesInFlightMax == 1199)
      #expect(try pipeline.result().delivered == 200)
      try pipeline.destroy()
    }

    @Test("what a stage takes away or adds counts when it returns", arguments: Pools.counts)
    func changes(workers: Int) throws {
      // Each block shrinks from 10 to 1: as many as 25 of them fit.
      let source = Stage.source(1000) { $0.pointee.weight = 10 }
      let pipeline = try Pipeline(
        workers, limit: 100, source: source,
        [
          .block { block in
            block.pointee.weight = 1
            return 0
          }
        ]
      ) {
        $0.pullsResults = true
        $0.maxBytesInFlight = 25
      }
      try pipeline.start()
      waitUntil("25 blocks of weight 1") {
        guard let now = try? pipeline.statistics() else { return false }
        return now.bytesInFlight == 25 && now.inFlight == 25
      }
      try pipeline.cancel()
      #expect(try pipeline.end() == .cancelled)
      try pipeline.destroy()

      // A payload that grows keeps the next blocks out, by its size.
      let growing = try Pipeline(
        workers, limit: 100, source: .source(1000),
        [
          .block { block in
            guard block.reserve(30) else { return -1 }
            block.pointee.size = 30
            return 0
          }
        ]
      ) {
        $0.pullsResults = true
        $0.maxBytesInFlight = 25
      }
      try growing.start()
      let (status, result) = try growing.nextResult()
      #expect(status == .ok && result?.block.pointee.size == 30)
      let before = try growing.statistics()
      #expect(before.bytesInFlight >= 30)
      result?.release()
      try growing.cancel()
      #expect(try growing.end() == .cancelled)
      #expect(try growing.statistics().bytesInFlight == 0)
      try growing.destroy()
    }

    @Test("a block without payload weighs nothing and keeps its place", arguments: [1, 2, 8])
    func tombstones(workers: Int) throws {
      for code in [StageReturn.drop, -1000] {
        let called = Tally()
        let gate = Gate()
        let living = Living()
        let source = living.source(500) { _ in called.add() }
        let work = Stage.block("", .serialAnyOrder) { $0.pointee.number > 0 ? code : 0 }
        let sink = Stage.block("sink", .serial) { block in
          if block.pointee.number == 0 { gate.pass("the others") }
          return 0
        }
        let pipeline = try Pipeline(workers, limit: 8, source: source, [work], sink: sink) {
          $0.maxBytesInFlight = 17
          $0.collectsErrors = true
        }
        try pipeline.start()
        if workers > 1 {
          waitUntil { called.value == 8 && living.live.value == 1 }
          #expect(called.value == 8 && living.live.value == 1)
        }
        gate.open()
        #expect(try pipeline.end() == (code < 0 ? .stageFailed : .ok))
        #expect(living.live.peak <= 2)
        #expect(try pipeline.statistics().bytesInFlight == 0)
        try pipeline.destroy()
      }
    }

    @Test("submitters wait for bytes as they wait for places", arguments: Pools.counts)
    func submitters(workers: Int) throws {
      let pipeline = try Pipeline(workers, limit: 100) {
        $0.pullsResults = true
        $0.maxBytesInFlight = 20
      }
      try pipeline.start()
      func submission(_ weight: UInt64) -> Submission {
        var submission = Submission(weight)
        submission.weight = weight
        return submission
      }
      #expect(try pipeline.submit(submission(19)) == .ok)
      #expect(try pipeline.submit(submission(70)) == .ok)
      #expect(try pipeline.flush() == .ok)
      #expect(try pipeline.submit(submission(1)) == .resultsWaiting)
      #expect(try pipeline.wait() == .resultsWaiting)
      let (firstStatus, first) = try pipeline.nextResult()
      let (secondStatus, second) = try pipeline.nextResult()
      #expect(firstStatus == .ok && secondStatus == .ok)
      #expect(try pipeline.nextResult().0 == .wouldDeadlock)
      #expect(try pipeline.submit(Submission(), timeout: 0) == .resultsWaiting)
      second?.release()
      #expect(try pipeline.submit(submission(1)) == .ok)
      #expect(try pipeline.statistics().bytesInFlight == 20)
      try pipeline.setMaxBytesInFlight(21)
      #expect(try pipeline.submit(submission(5)) == .ok)
      try pipeline.cancel()
      #expect(try pipeline.submit(submission(5)) == .cancelled)
      #expect(throws: WorkpoolError.self) { try pipeline.setMaxBytesInFlight(-1) }
      first?.release()
      try pipeline.destroy()
    }

    @Test("a submitter that waits for bytes comes in, gives up or is told of the end")
    func waiting() throws {
      let gate = Gate()
      let pipeline = try Pipeline(
        2, limit: 3,
        [
          .block("", .serial) { block in
            if block.pointee.number == 0 { gate.pass("the first") }
            return 0
          }
        ]
      ) { $0.maxBytesInFlight = 10 }
      try pipeline.start()
      var large = Submission()
      large.weight = 10
      #expect(try pipeline.submit(large) == .ok)
      gate.waitForArrivals(1)
      #expect(try pipeline.submit(Submission(), timeout: 0) == .wouldBlock)
      #expect(try pipeline.submit(large, timeout: 1_000_000) == .timedOut)
      // The place of one that gave up is free again.
      #expect(try pipeline.statistics().inFlight == 1)
      let accepted = Tally()
      let threads = Threads(4) { _ in
        var large = Submission()
        large.weight = 10
        #expect((try? pipeline.submit(large)) == .ok)
        accepted.add()
      }
      gate.open()
      threads.join()
      #expect(accepted.value == 4)
      #expect(try pipeline.statistics().bytesInFlightMax == 10)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()

      for isCancelled in [false, true] {
        let gate = Gate()
        let pipeline = try Pipeline(
          2, limit: 3,
          [
            .block { _ in
              gate.pass(); return 0
            }
          ]
        ) {
          $0.maxBytesInFlight = 10
        }
        try pipeline.start()
        #expect(try pipeline.submit(large) == .ok)
        let threads = Threads(2) { _ in
          let status = try? pipeline.submit(Submission())
          #expect(status == (isCancelled ? .cancelled : .closed))
        }
        if isCancelled { try pipeline.cancel() } else { try pipeline.close() }
        threads.join()
        gate.open()
        #expect(try pipeline.end() == (isCancelled ? .cancelled : .ok))
        try pipeline.destroy()
      }
    }

    @Test("a callback's own pipeline without room for bytes would deadlock")
    func fromInside() throws {
      let box = Locked<Pipeline?>(nil)
      let statuses = Log<Status>()
      let pipeline = try Pipeline(
        2, limit: 3,
        [
          .block { block in
            guard block.pointee.number == 0, let pipeline = box.with({ $0 }) else { return 0 }
            for timeout in [0, -1] as [Int64] {
              if let status = try? pipeline.submit(Submission(), timeout: timeout) {
                statuses.append(status)
              }
            }
            return 0
          }
        ]
      ) { $0.maxBytesInFlight = 1 }
      box.with { $0 = pipeline }
      try pipeline.start()
      var submission = Submission()
      submission.weight = 1
      #expect(try pipeline.submit(submission) == .ok)
      #expect(try pipeline.flush() == .ok)
      #expect(statuses.all == [.wouldBlock, .wouldDeadlock])
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      box.with { $0 = nil }
      try pipeline.destroy()
    }

    @Test("the lowest unfinished number comes in whatever the others weigh", arguments: [1, 2, 8])
    func numbered(workers: Int) throws {
      var heavy = Submission()
      heavy.weight = 10
      let pipeline = try Pipeline(workers, limit: 8) { $0.maxBytesInFlight = 10 }
      try pipeline.start()
      #expect(try pipeline.submit(number: 1, heavy) == .ok)
      #expect(try pipeline.submit(number: 2, heavy, timeout: 0) == .wouldBlock)
      #expect(try pipeline.submit(number: 3, nil, timeout: 0) == .ok)
      #expect(try pipeline.submit(number: 0, heavy, timeout: 0) == .ok)
      #expect(try pipeline.submit(number: 2, heavy) == .ok)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.result().delivered == 3)
      #expect(try pipeline.statistics().bytesInFlightMax == 20)
      try pipeline.destroy()

      // But not while it is the results that weigh too much.
      let pulled = try Pipeline(workers, limit: 8) {
        $0.maxBytesInFlight = 10
        $0.pullsResults = true
      }
      try pulled.start()
      #expect(try pulled.submit(number: 0, heavy) == .ok)
      #expect(try pulled.flush() == .ok)
      #expect(try pulled.submit(number: 1, heavy) == .resultsWaiting)
      try pulled.nextResult().1?.release()
      #expect(try pulled.submit(number: 1, heavy) == .ok)
      try pulled.destroy()
    }

    @Test("the serial reference knows no limit of bytes, and weighs all the same")
    func reference() throws {
      let living = Living()
      let pipeline = try Pipeline(0, source: living.source(50)) { $0.maxBytesInFlight = 1 }
      #expect(try pipeline.run() == .ok)
      #expect(try pipeline.statistics().bytesInFlightMax == 16)
      #expect(try pipeline.statistics().bytesInFlight == 0)
      try pipeline.destroy()
    }

    @Test("stop, failure and cancel while the source waits for bytes", arguments: Pools.counts)
    func endings(workers: Int) throws {
      for ending in 0..<4 {
        let living = Living()
        let pipeline = try Pipeline(workers, source: living.source(.max)) {
          $0.maxBytesInFlight = 20
          $0.pullsResults = true
        }
        try pipeline.start()
        living.wait(for: 2)
        switch ending {
        case 0: try pipeline.cancel()
        case 1: try pipeline.stop()
        case 2: try pipeline.setMaxBytesInFlight(50)
        default: break
        }
        if ending == 1 {
          while case (.ok, let result?) = try pipeline.nextResult() { result.release() }
        }
        try pipeline.destroy()
        #expect(living.live.value == 0 && living.payloads.isEachOnce)
      }
    }

    @Test("limits that change all the time lose no byte and no block", arguments: Pools.counts)
    func storm(workers: Int) throws {
      let seed = SeededRandom.seeds(1)[0]
      for isPushed in [false, true] {
        let count = UInt64(TestScale.scaled(2000))
        let source = Stage.source(count) { $0.pointee.weight = $0.pointee.number &* 7 % 20 }
        let pipeline = try Pipeline(
          workers, limit: 9, source: isPushed ? nil : source,
          [
            .block { block in
              block.pointee.weight = block.pointee.number &* 3 % 20
              return block.pointee.number % 5 == 3 ? StageReturn.drop : 0
            }, .block("", .serialAnyOrder) { _ in 0 },
          ])
        try pipeline.start()
        let isOver = Atomic<Bool>(false)
        let changers = Threads(2) { index in
          var random = SeededRandom(seed: seed + UInt64(index))
          while !isOver.load(ordering: .relaxed) {
            try? pipeline.setMaxBlocksInFlight(1 + random.below(9))
            try? pipeline.setMaxBytesInFlight(1 + random.below(60))
            wpl_yield()
          }
        }
        if isPushed {
          let next = Atomic<UInt64>(0)
          let producers = Threads(3) { _ in
            while true {
              let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
              if number >= count { return }
              var submission = Submission(number)
              submission.weight = number % 20
              #expect((try? pipeline.submit(submission)) == .ok)
            }
          }
          producers.join()
          try pipeline.close()
        }
        #expect(try pipeline.end("seed \(seed)") == .ok)
        isOver.store(true, ordering: .relaxed)
        changers.join()
        let statistics = try pipeline.statistics()
        #expect(statistics.bytesInFlight == 0 && statistics.inFlight == 0, "seed \(seed)")
        #expect(try pipeline.result().delivered == count - (count + 1) / 5)
        try pipeline.destroy()
      }
    }
  }
}
