// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct SubmissionTests {
    @Test("blocks get numbers in the order of acceptance and arrive in it", arguments: Pools.counts)
    func order(workers: Int) throws {
      for limit in [1, 2, 3, 16] {
        let delivered = Log<UInt64>()
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.meta.0)
          return block.pointee.number == block.pointee.meta.0 ? 0 : -1
        }
        let pipeline = try Pipeline(
          workers, limit: limit, [.block { _ in 0 }, .block("", .serialAnyOrder) { _ in 0 }],
          sink: sink)
        try pipeline.start()
        for number in 0..<UInt64(1000) { #expect(try pipeline.submit(Submission(number)) == .ok) }
        try pipeline.close()
        try pipeline.close()
        #expect(try pipeline.submit(Submission(0)) == .closed)
        #expect(try pipeline.end() == .ok)
        #expect(try pipeline.submit(Submission(0)) == .closed)
        #expect(delivered.all == Array(0..<1000))
        let statistics = try pipeline.statistics()
        #expect(statistics.blocksIn == 1000 && statistics.blocksOut == 1000)
        #expect(statistics.inFlight == 0 && statistics.inFlightMax <= UInt64(limit))
        try pipeline.destroy()
      }
    }

    @Test("many threads submit, each block is delivered once", arguments: Pools.counts)
    func manyProducers(workers: Int) throws {
      let perThread = TestScale.scaled(2000)
      for limit in [1, 3, 16] {
        let delivered = Log<UInt64>()
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.meta.0)
          return 0
        }
        let pipeline = try Pipeline(workers, limit: limit, [.block { _ in 0 }], sink: sink)
        try pipeline.start()
        let faults = Tally()
        Threads(4) { thread in
          for index in 0..<perThread {
            let word = Submission(UInt64(thread * perThread + index))
            if (try? pipeline.submit(word)) != .ok { faults.add() }
          }
        }.join()
        try pipeline.close()
        #expect(try pipeline.end() == .ok)
        #expect(faults.value == 0)
        #expect(delivered.all.sorted() == Array(0..<UInt64(4 * perThread)))
        for thread in 0..<4 {
          let own = delivered.all.filter { Int($0) / perThread == thread }
          #expect(own == own.sorted(), "each thread's blocks keep their order")
        }
        try pipeline.destroy()
      }
    }

    @Test("a full window refuses a try, lets a timed submit give up and a waiting one in")
    func waiting() throws {
      for limit in [1, 3] {
        let gate = Gate()
        let payloads = Payloads()
        let pipeline = try Pipeline(
          2, limit: limit,
          [
            .block { _ in
              gate.pass("the host")
              return 0
            }
          ])
        try pipeline.start()
        for id in 0..<UInt64(limit) { #expect(try pipeline.submit(payloads.make(id)) == .ok) }
        let refused = payloads.make(99)
        #expect(try pipeline.submit(refused, timeout: 0) == .wouldBlock)
        #expect(try pipeline.submit(refused, timeout: 1_000_000) == .timedOut)
        #expect(try pipeline.submit(number: 7, refused, timeout: 0) == .invalidState)
        let waiters = Threads(3) { thread in
          _ = try? pipeline.submit(payloads.make(UInt64(limit + thread)))
        }
        while pipeline.current!.pointee.flow.pointee.waiters.load(ordering: .relaxed) < 3 {}
        #expect(try pipeline.statistics().inFlight == UInt64(limit))
        gate.open()
        waiters.join()
        try pipeline.close()
        #expect(try pipeline.end() == .ok)
        #expect(payloads.releases == limit + 3 && payloads.isEachOnce)
        #expect(payloads.count(.delivered) == limit + 3)
        payloads.discard(refused)
        try pipeline.destroy()
      }
    }

    /// A timed-out submitter must take its claim back or use the place that was given meanwhile.
    @Test("submits that time out and places that come free never lose each other")
    func timeoutRace() throws {
      for workers in [1, 2, 8] {
        let payloads = Payloads()
        let pipeline = try Pipeline(workers, limit: 2, [.block { _ in 0 }])
        try pipeline.start()
        let accepted = Tally()
        Threads(4) { thread in
          var random = SeededRandom(seed: UInt64(thread))
          for index in 0..<TestScale.scaled(3000) {
            let submission = payloads.make(UInt64(thread * 1_000_000 + index))
            let timeout = Int64([0, 1, 1000, 5000, -1][random.below(5)])
            switch try? pipeline.submit(submission, timeout: timeout) {
            case .ok: accepted.add()
            case .wouldBlock, .timedOut: payloads.discard(submission)
            case let other: fatalError("unexpected \(String(describing: other))")
            }
          }
        }.join()
        // All places are back: a whole window goes in without waiting.
        #expect(try pipeline.flush() == .ok)
        #expect(try pipeline.statistics().inFlight == 0)
        try pipeline.close()
        #expect(try pipeline.end() == .ok)
        #expect(payloads.releases == accepted.value && payloads.isEachOnce)
        try pipeline.destroy()
      }
    }

    @Test("a stopped, failed or cancelled run refuses input with its status", arguments: [1, 2, 8])
    func refusal(workers: Int) throws {
      for (answer, status) in [(StageReturn.stop, Status.stopped), (-1000, .stageFailed)] {
        for trial in 0..<20 {
          let payloads = Payloads()
          let isBlocked = trial % 2 == 0
          let pipeline = try Pipeline(
            workers, limit: 4, [.block { $0.pointee.number == 10 ? answer : 0 }])
          try pipeline.start()
          var taken = 0
          while true {
            let submission = payloads.make(UInt64(taken))
            let status2 = try pipeline.submit(submission, timeout: isBlocked ? -1 : 0)
            if status2 == .wouldBlock {
              payloads.discard(submission)
              continue
            }
            if status2 != .ok {
              #expect(status2 == status)
              payloads.discard(submission)
              break
            }
            taken += 1
          }
          #expect(taken <= 10 + 4 + 1)
          #expect(try pipeline.end() == status)
          #expect(payloads.releases == taken && payloads.isEachOnce)
          #expect(try pipeline.result().delivered == (status == .stopped ? 11 : 10))
          try pipeline.destroy()
        }
      }
    }

    @Test("closing while threads submit loses nothing", arguments: [1, 2, 8])
    func closingRace(workers: Int) throws {
      for _ in 0..<TestScale.scaled(200) {
        let payloads = Payloads()
        let pipeline = try Pipeline(workers, limit: 3, [.block { _ in 0 }])
        try pipeline.start()
        let accepted = Tally()
        let threads = Threads(3) { thread in
          var index: UInt64 = 0
          while true {
            let submission = payloads.make(UInt64(thread) << 32 | index)
            index += 1
            guard (try? pipeline.submit(submission)) == .ok else {
              return payloads.discard(submission)
            }
            if accepted.add() == 20 { try? pipeline.close() }
          }
        }
        threads.join()
        #expect(try pipeline.flush() == .ok)
        #expect(try pipeline.end() == .ok)
        #expect(payloads.releases == accepted.value && payloads.isEachOnce)
        #expect(try pipeline.result().delivered == UInt64(accepted.value))
        #expect(try pipeline.statistics().blocksIn == UInt64(accepted.value))
        try pipeline.destroy()
      }
    }

    @Test("copied bytes reach the callbacks, whoever frees the original")
    func copies() throws {
      let faults = Tally()
      let pipeline = try Pipeline(
        2, limit: 4,
        [
          .block { block in
            let expected = UInt8(truncatingIfNeeded: block.pointee.meta.0)
            if block.pointee.size != Int(block.pointee.meta.0) { faults.add() }
            if !block.bytes.allSatisfy({ $0 == expected }) { faults.add() }
            if block.pointee.size == 0 && block.pointee.data != nil { faults.add() }
            return 0
          }
        ])
      try pipeline.start()
      for size in 0..<1000 {
        var bytes = Array(repeating: UInt8(truncatingIfNeeded: size), count: size + 1)
        bytes.withUnsafeMutableBytes { memory in
          var submission = Submission(UInt64(size))
          submission.data = memory.baseAddress
          submission.size = size
          #expect((try? pipeline.submit(submission)) == .ok)
          memory.initializeMemory(as: UInt8.self, repeating: 255)
        }
      }
      var broken = Submission(1)
      broken.size = 5
      #expect(try pipeline.submit(broken) == .invalidArgument)
      broken.size = -1
      #expect(try pipeline.submit(broken) == .invalidArgument)
      #expect(try pipeline.submit(number: 3, broken) == .invalidArgument)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(faults.value == 0)
      try pipeline.destroy()
    }

    // MARK: Numbers of the caller's

    @Test(
      "numbered blocks arrive in order from many threads, at any limit", arguments: Pools.counts)
    func numbered(workers: Int) throws {
      let count = UInt64(TestScale.scaled(2000))
      for limit in [1, 2, 16] {
        let delivered = Log<UInt64>()
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.number)
          return block.pointee.meta.0 == block.pointee.number ? 0 : -1
        }
        let pipeline = try Pipeline(workers, limit: limit, [.block { _ in 0 }], sink: sink)
        try pipeline.start()
        let faults = Tally()
        Threads(5) { thread in
          for number in stride(from: UInt64(thread), to: count, by: 5) {
            let status =
              number % 7 == 6
              ? try? pipeline.submit(number: number, nil)
              : try? pipeline.submit(number: number, Submission(number))
            if status != .ok { faults.add() }
          }
        }.join()
        try pipeline.close()
        #expect(try pipeline.end() == .ok)
        #expect(faults.value == 0)
        #expect(delivered.all == (0..<count).filter { $0 % 7 != 6 })
        #expect(try pipeline.result().dropped == count / 7)
        try pipeline.destroy()
      }
    }

    @Test("a number is taken once and within the window only")
    func numberRules() throws {
      let payloads = Payloads()
      let pipeline = try Pipeline(2, limit: 4, [.block { _ in 0 }])
      try pipeline.start()
      #expect(try pipeline.submit(number: 2, payloads.make(2)) == .ok)
      let extra = payloads.make(77)
      #expect(try pipeline.submit(number: 2, extra) == .duplicateBlock)
      #expect(try pipeline.submit(number: 2, nil) == .duplicateBlock)
      #expect(try pipeline.submit(number: 4, extra, timeout: 0) == .wouldBlock)
      #expect(try pipeline.submit(number: 4, extra, timeout: 1000) == .timedOut)
      #expect(try pipeline.submit(number: .max, extra) == .invalidArgument)
      #expect(try pipeline.submit(number: .max >> 1, extra, timeout: 0) == .invalidArgument)
      #expect(try pipeline.submit(number: .max >> 2, extra, timeout: 0) == .wouldBlock)
      #expect(try pipeline.submit(extra, timeout: 0) == .invalidState)
      #expect(try pipeline.submit(number: 0, nil) == .ok)
      #expect(try pipeline.submit(number: 1, payloads.make(1)) == .ok)
      #expect(try pipeline.flush() == .ok)
      #expect(try pipeline.submit(number: 0, extra) == .duplicateBlock)
      #expect(try pipeline.submit(number: 6, payloads.make(6), timeout: 0) == .ok)
      #expect(try pipeline.submit(number: 3, payloads.make(3), timeout: 0) == .ok)
      #expect(try pipeline.submit(number: 4, payloads.make(4), timeout: 0) == .ok)
      #expect(try pipeline.submit(number: 5, payloads.make(5), timeout: 0) == .ok)
      try pipeline.close()
      #expect(try pipeline.submit(number: 7, extra) == .closed)
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.result().delivered == 6)
      #expect(payloads.releases == 6 && payloads.isEachOnce)
      payloads.discard(extra)
      try pipeline.destroy()
    }

    @Test("a number that only unread results keep out is not waited for", arguments: [1, 2, 8])
    func numberedAndRead(workers: Int) throws {
      let limit: UInt64 = 4
      let pipeline = try Pipeline(workers, limit: Int(limit), [.block { _ in 0 }]) {
        $0.pullsResults = true
      }
      try pipeline.start()
      var read: [UInt64] = []
      // Each piece of the input comes backwards, submitted and read by one thread.
      for piece in stride(from: UInt64(0), to: 400, by: Int(limit)) {
        for number in (piece..<piece + limit).reversed() {
          while true {
            let status = try pipeline.submit(
              number: number, Submission(number), timeout: TestScale.patienceNanoseconds)
            if status == .ok { break }
            #expect(status == .resultsWaiting)
            let (_, result) = try pipeline.nextResult()
            guard let result else { break }
            read.append(result.block.pointee.number)
            result.release()
          }
        }
      }
      try pipeline.close()
      while let result = try pipeline.nextResult().1 {
        read.append(result.block.pointee.number)
        result.release()
      }
      #expect(read == Array(0..<400))
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("numbers missing at the close are errors, one for each gap", arguments: [1, 2, 8])
    func missing(workers: Int) throws {
      for collects in [false, true] {
        let payloads = Payloads()
        let delivered = Log<UInt64>()
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(workers, limit: 16, [.block { _ in 0 }], sink: sink) {
          $0.collectsErrors = collects
        }
        try pipeline.start()
        let submitted: [UInt64] = [9, 0, 1, 4, 5, 7]
        for number in submitted {
          #expect(try pipeline.submit(number: number, payloads.make(number)) == .ok)
        }
        try pipeline.close()
        #expect(try pipeline.end() == .missingBlock)
        let outcome = try pipeline.result()
        #expect(outcome.number == 2 && outcome.stage == 0)
        #expect(outcome.code == Status.missingBlock.rawValue)
        #expect(delivered.all == (collects ? submitted.sorted() : [0, 1]))
        #expect(try pipeline.errors().map(\.number) == (collects ? [2, 6, 8] : [2]))
        #expect(try pipeline.errors()[0].text.contains("2 to 3"))
        #expect(payloads.releases == 6 && payloads.isEachOnce)
        try pipeline.destroy()
      }
    }

    /// Block 5 fails or stops before 2 and 3 were submitted: what lies before 5 must still get in.
    @Test(
      "a numbered input that was cut takes the smaller numbers and no others", arguments: [1, 2, 8])
    func numberedCut(workers: Int) throws {
      for (answer, status) in [(Int32(-1000), Status.stageFailed), (StageReturn.stop, .stopped)] {
        for isComplete in [true, false] {
          let payloads = Payloads()
          let delivered = Log<UInt64>()
          let sink = Stage.block("sink", .serial) { block in
            delivered.append(block.pointee.number)
            return 0
          }
          let hasDecided = Gate()
          let pipeline = try Pipeline(
            workers, limit: 8,
            [
              .block { block in
                guard block.pointee.number == 5 else { return 0 }
                hasDecided.open()
                return answer
              }
            ], sink: sink)
          try pipeline.start()
          for number in [UInt64(5), 6, 0, 1, 4] {
            let submission = payloads.make(number)
            if try pipeline.submit(number: number, submission) != .ok {
              payloads.discard(submission)
            }
          }
          hasDecided.pass("block 5")
          let refused = payloads.make(99)
          // Until the cut is written 7 may get in.
          while true {
            let answer = try pipeline.submit(number: 7, refused, timeout: 0)
            if answer == .ok {
              #expect(try pipeline.submit(number: 7, nil) != .ok)
              break
            }
            if answer == status {
              payloads.discard(refused)
              break
            }
            #expect(answer == .wouldBlock)
          }
          #expect(try pipeline.submit(number: 3, payloads.make(3)) == .ok)
          if isComplete {
            #expect(try pipeline.submit(number: 2, payloads.make(2)) == .ok)
            #expect(try pipeline.end() == status)
            #expect(delivered.all == Array(0...(status == .stopped ? 5 : 4)))
            #expect(try pipeline.result().number == 5)
          } else {
            try pipeline.close()
            #expect(try pipeline.end() == .missingBlock)
            #expect(delivered.all == [0, 1])
            #expect(try pipeline.result().number == 2)
          }
          try pipeline.destroy()
          #expect(payloads.isEachOnce)
        }
      }
    }

    @Test("hundreds of submitters that wait with a number of theirs all get in")
    func crowd() throws {
      let delivered = Tally()
      let pipeline = try Pipeline(
        2, limit: 2, [.block { $0.pointee.size == 3 ? 0 : -1 }],
        sink: .block("sink", .serial) { _ in
          delivered.add()
          return 0
        })
      try pipeline.start()
      let count = 200
      let faults = Tally()
      Threads(count) { thread in
        var bytes: [UInt8] = [1, 2, 3]
        bytes.withUnsafeMutableBytes { memory in
          var submission = Submission()
          submission.data = memory.baseAddress
          submission.size = 3
          // The last number first.
          if (try? pipeline.submit(number: UInt64(count - 1 - thread), submission)) != .ok {
            faults.add()
          }
        }
      }.join()
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(faults.value == 0 && delivered.value == count)
      try pipeline.destroy()
    }

    @Test("a callback may submit to its own pipeline without waiting only", arguments: [1, 2, 8])
    func ownSubmit(workers: Int) throws {
      let pipelines = Log<Pipeline>()
      let answers = Log<Status>()
      let stage = Stage.block { block in
        guard let pipeline = pipelines.all.first, block.pointee.meta.0 == 1 else { return 0 }
        for _ in 0..<3 { answers.append((try? pipeline.submit(Submission(0))) ?? .end) }
        answers.append((try? pipeline.submit(Submission(0), timeout: 0)) ?? .end)
        answers.append((try? pipeline.wait()) ?? .end)
        answers.append((try? pipeline.flush()) ?? .end)
        return 0
      }
      let gate = Gate()
      let pipeline = try Pipeline(
        workers, limit: 3, [stage],
        sink: .block("sink", .serial) { _ in
          gate.pass("the host")
          return 0
        })
      pipelines.append(pipeline)
      try pipeline.start()
      #expect(try pipeline.submit(Submission(1)) == .ok)
      while answers.count < 6 {}
      // With the gate shut nothing leaves: 2 of 3 places are free.
      #expect(
        answers.all == [.ok, .ok, .wouldDeadlock, .wouldBlock, .wouldDeadlock, .wouldDeadlock])
      gate.open()
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.result().delivered == 3)
      try pipeline.destroy()
    }
  }
}
