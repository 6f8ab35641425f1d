// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// Acceptance of the limits; A6 is in `UnorderedTests`, A3 for bytes and for limits that change in
  /// `WeightsTests` and `LiveLimitTests` too.
  @Suite struct LimitScenarioTests {
    private static func workStages() -> [(String, [Stage])] {
      [
        ("none", []), ("parallel", [.block { _ in 0 }]),
        ("any order", [.block("", .serialAnyOrder) { _ in 0 }]),
        ("serial", [.block("", .serial) { _ in 0 }]),
        ("limited", [.block("", concurrency: 2) { _ in 0 }]),
        (
          "dropping",
          [
            .block { $0.pointee.number % 3 == 1 ? StageReturn.drop : 0 },
            .block("", .serial) { _ in 0 },
          ]
        ),
      ]
    }

    @Test(
      "A3: the live blocks come to exactly the limit, in blocks and in bytes",
      arguments: Pools.counts)
    func exactLimit(workers: Int) throws {
      for limit in [1, 2, 5, 16] {
        for isInBytes in [false, true] {
          for (name, stages) in Self.workStages() {
            let living = Living()
            let pipeline = try Pipeline(
              workers, limit: isInBytes ? 100 : limit, source: living.source(150), stages
            ) {
              $0.pullsResults = true
              // Blocks of 16 bytes: less than this and one block is `limit` of them.
              if isInBytes { $0.maxBytesInFlight = (limit - 1) * Payloads.size + 1 }
            }
            try pipeline.start()
            living.wait(for: limit, "\(name), limit \(limit)")
            let bytes = UInt64(limit * Payloads.size)
            waitUntil("\(name), \(bytes) bytes") {
              (try? pipeline.statistics().bytesInFlight) == bytes
            }
            while case (.ok, let result?) = try pipeline.nextResult() { result.release() }
            #expect(try pipeline.end() == .ok)
            #expect(living.live.peak == limit && living.live.value == 0, "\(name)")
            let statistics = try pipeline.statistics()
            if isInBytes {
              #expect(statistics.bytesInFlightMax == bytes, "\(name)")
            } else {
              #expect(statistics.inFlightMax == UInt64(limit), "\(name)")
            }
            try pipeline.destroy()
          }
        }
      }
    }

    @Test(
      "A3: while limits change, the largest one in force is never passed", arguments: Pools.counts)
    func changingLimit(workers: Int) throws {
      for (name, stages) in Self.workStages() {
        let living = Living()
        let largest = Atomic<Int>(2)
        let source = living.source(UInt64(TestScale.scaled(1000))) { block in
          // Live blocks include this one.
          #expect(living.live.value <= largest.load(ordering: .acquiring), "\(name)")
        }
        let pipeline = try Pipeline(workers, limit: 2, source: source, stages)
        try pipeline.start()
        for limit in [3, 1, 7, 2, 12, 4] {
          largest.store(max(limit, largest.load(ordering: .relaxed)), ordering: .releasing)
          try pipeline.setMaxBlocksInFlight(limit)
          let issued = try pipeline.statistics().blocksIn
          waitUntil("\(name): blocks under limit \(limit)") {
            guard let now = try? pipeline.statistics() else { return true }
            return now.blocksIn > issued + 20 || (try? pipeline.wait(timeout: 0)) != .timedOut
          }
        }
        #expect(try pipeline.end() == .ok)
        #expect(living.live.peak <= 12)
        try pipeline.destroy()
      }
    }

    @Test("A4: with a limit of one, blocks go one at a time", arguments: Pools.counts)
    func limitOne(workers: Int) throws {
      for isPushed in [false, true] {
        for maxBytes in [0, 1] {
          let living = Living()
          let order = Log<UInt64>()
          let sink = Stage.block("sink", .serial) { block in
            order.append(block.pointee.number)
            #expect(living.live.value == 1)
            return 0
          }
          let pipeline = try Pipeline(
            workers, limit: maxBytes == 0 ? 1 : 8, source: isPushed ? nil : living.source(300),
            [
              .block { _ in 0 }, .block("", .serial) { _ in 0 },
              .block("", .serialAnyOrder) { _ in 0 },
            ],
            sink: sink
          ) { $0.maxBytesInFlight = maxBytes }
          try pipeline.start()
          if isPushed {
            for number in 0..<300 as Range<UInt64> {
              // Counted by the caller, when nothing else lives.
              #expect(try pipeline.flush() == .ok)
              living.live.add()
              #expect(try pipeline.submit(living.payloads.make(number)) == .ok)
            }
            try pipeline.close()
          }
          #expect(try pipeline.end() == .ok)
          #expect(order.all == Array(0..<300))
          #expect(living.live.peak == 1)
          // With a limit of bytes the next block takes its place first.
          if maxBytes == 0 { #expect(try pipeline.statistics().inFlightMax == 1) }
          try pipeline.destroy()
        }
      }
    }

    /// Every 32nd block takes as long as all others that fit into the window together.
    private final class SlowHeads: @unchecked Sendable {
      private let monitor = try! Monitor()
      private var passed: Set<UInt64> = []
      let count: UInt64
      let limit: UInt64
      let isHeld: Bool

      init(count: Int, limit: Int, workers: Int) {
        self.count = UInt64(count)
        self.limit = UInt64(limit)
        isHeld = workers > 1  // a single worker cannot do the others meanwhile
      }
      deinit { monitor.destroy() }

      func stage() -> Stage {
        .block("slow heads") { [self] block in
          let number = block.pointee.number
          monitor.lock()
          defer { monitor.unlock() }
          if number % 32 != 0 {
            passed.insert(number)
            monitor.wakeAll()
          } else if isHeld {
            let others = (number + 1..<min(number + limit, count)).filter { $0 % 32 != 0 }
            let havePassed = TestScale.withPatience { deadline in
              while !passed.isSuperset(of: others) {
                if !monitor.wait(until: deadline) { return false }
              }
              return true
            }
            if !havePassed { fatalError("stuck behind block \(number)") }
          }
          return 0
        }
      }
    }

    @Test(
      "A5: behind a slow head the others are done until the window is full, and the order holds",
      arguments: Pools.counts)
    func slowHead(workers: Int) throws {
      let count = 320
      // No more heads in a window than there are workers to wait in them and one to do the rest.
      let limit = 2 * workers
      for isPushed in [false, true] {
        let heads = SlowHeads(count: count, limit: limit, workers: workers)
        let order = Log<UInt64>()
        let sink = Stage.block("sink", .serial) { block in
          order.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(
          workers, limit: limit, source: isPushed ? nil : .source(UInt64(count)), [heads.stage()],
          sink: sink)
        try pipeline.start()
        if isPushed {
          for _ in 0..<count { #expect(try pipeline.submit(Submission()) == .ok) }
          try pipeline.close()
        }
        #expect(try pipeline.end() == .ok)
        #expect(order.all == Array(0..<UInt64(count)))
        #expect(try pipeline.statistics().inFlightMax <= UInt64(limit))
        try pipeline.destroy()
      }
    }

    @Test(
      "A5: submit and next_result on one thread proceed or say what to do", arguments: Pools.counts)
    func oneThread(workers: Int) throws {
      let count = 320
      let limit = 2 * workers
      // Slow for no reason: results that nobody reads may keep those out that a head would wait for.
      let slow = Stage.block { block in
        if block.pointee.number % 32 == 0 { for _ in 0..<300 { wpl_yield() } }
        return 0
      }
      let pipeline = try Pipeline(workers, limit: limit, [slow]) { $0.pullsResults = true }
      try pipeline.start()
      var read: [UInt64] = []
      func readOne() throws {
        let (status, result) = try pipeline.nextResult()
        #expect(status == .ok)
        if let result {
          read.append(result.block.pointee.number)
          result.release()
        }
      }
      for _ in 0..<count {
        while true {
          let status = try pipeline.submit(Submission())
          if status == .ok { break }
          #expect(status == .resultsWaiting)
          try readOne()
        }
      }
      try pipeline.close()
      while read.count < count { try readOne() }
      #expect(try pipeline.nextResult().0 == .end)
      #expect(read == Array(0..<UInt64(count)))
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    /// Lets callers go on in groups, each of which is complete.
    private final class Meeting: @unchecked Sendable {
      private let monitor = try! Monitor()
      private let size: Int
      private var arrived = 0
      private var meetings = 0
      init(_ size: Int) { self.size = size }
      deinit { monitor.destroy() }

      func attend() {
        monitor.lock()
        defer { monitor.unlock() }
        arrived += 1
        let meeting = meetings
        if arrived == size {
          arrived = 0
          meetings += 1
          return monitor.wakeAll()
        }
        let haveMet = TestScale.withPatience { deadline in
          while meeting == meetings {
            if !monitor.wait(until: deadline) { return false }
          }
          return true
        }
        if !haveMet { fatalError("stuck: fewer than \(size) inside") }
      }
    }

    @Test(
      "a stage for at most k calls has k of them while blocks wait", arguments: [3, 8, 64])
    func workConserving(workers: Int) throws {
      for k in 1...3 {
        for before in [StageKind.parallel, .serial, .serialAnyOrder] {
          let inside = Tally()
          let meeting = Meeting(k)
          let limited = Stage.block("limited", concurrency: k) { block in
            inside.add()
            meeting.attend()
            inside.add(-1)
            return 0
          }
          // Of 400 blocks 300 come to the stage: whole groups for each k. None waits in order for one
          // that waits for its group.
          let pipeline = try Pipeline(
            workers, limit: 20, source: .source(400),
            [.block("", before) { $0.pointee.number % 4 == 1 ? StageReturn.drop : 0 }, limited]
          ) {
            $0.deliversUnordered = true
            $0.windowCapacity = 512
          }
          #expect(try pipeline.runToEnd("k \(k)") == .ok)
          #expect(inside.peak == k)
          #expect(try pipeline.result().delivered == 300)
          try pipeline.destroy()
        }
      }
    }

    @Test("memory is as the formula says, and does not grow with the number of blocks")
    func memory() throws {
      func measure(
        capacity: Int, blocks: UInt64, size: Int = 0, pulls: Bool = false, serial: Int = 1
      ) throws -> Int {
        let pipeline = try Pipeline(
          2, limit: 16,
          source: .source(blocks) { block in
            if size > 0 && block.reserve(size) { block.pointee.size = size }
          }, (0..<serial).map { _ in .block("", .serial) { _ in 0 } }
        ) {
          $0.windowCapacity = capacity
          $0.pullsResults = pulls
        }
        #expect(pipeline.memory == 0)
        try pipeline.start()
        if pulls { while case (.ok, let result?) = try pipeline.nextResult() { result.release() } }
        #expect(try pipeline.end() == .ok)
        let memory = pipeline.memory
        try pipeline.destroy()
        return memory
      }
      let base = try measure(capacity: 16, blocks: 10)
      #expect(try measure(capacity: 16, blocks: 20_000) == base)
      // Two buffers for each block in flight, of pages.
      let withBuffers = try measure(capacity: 16, blocks: 20_000, size: 4096)
      #expect(withBuffers >= base + 4096 && withBuffers <= base + 32 * 12_288)
      #expect(MemoryLayout<Record>.stride + PipelineRun.errorTextSize <= 512)
      func row(pulls: Bool, serial: Int) throws -> Int {
        let large = try measure(capacity: 4096, blocks: 1, pulls: pulls, serial: serial)
        let small = try measure(capacity: 1024, blocks: 1, pulls: pulls, serial: serial)
        return (large - small) / 3072
      }
      for serial in [1, 15, 16, 33] {
        let cells = 64 * ((serial + 1 + 15) / 16)
        #expect(try row(pulls: false, serial: serial) <= cells + 640)
        #expect(try row(pulls: true, serial: serial) <= cells + 640 + 256)
      }
      #expect(base <= 16 * (64 + 640) + 2 * 3 * 1024 + 20_480)
      #expect(Pools.of(2).memory > 0)
    }
  }
}
