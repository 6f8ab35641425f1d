// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct HostWaitsTests {
    // MARK: Results

    @Test(
      "one thread that submits and reads gets every block in order and never hangs",
      arguments: [
        1, 2, 3, 8, 64,
      ])
    func oneThread(workers: Int) throws {
      for limit in [1, 2, 7] {
        let pipeline = try Pipeline(
          workers, limit: limit,
          [.block { $0.pointee.meta.0 % 5 == 4 ? StageReturn.drop : 0 }]
        ) { $0.pullsResults = true }
        try pipeline.start()
        var read: [UInt64] = []
        func readOne() throws -> Bool {
          let (status, result) = try pipeline.nextResult()
          guard let result else {
            #expect(status == .end)
            return false
          }
          read.append(result.block.pointee.meta.0)
          result.release()
          return true
        }
        for word in 0..<UInt64(TestScale.scaled(1000)) {
          while true {
            let status = try pipeline.submit(Submission(word))
            if status == .ok { break }
            #expect(status == .resultsWaiting)
            _ = try readOne()
          }
        }
        try pipeline.close()
        while try readOne() {}
        #expect(try pipeline.end() == .ok)
        #expect(read == (0..<UInt64(TestScale.scaled(1000))).filter { $0 % 5 != 4 })
        try pipeline.destroy()
      }
    }

    @Test("a reader on another thread gets every block of a source", arguments: Pools.counts)
    func reader(workers: Int) throws {
      for limit in [1, 2, 16] {
        let payloads = Payloads()
        let pipeline = try Pipeline(
          workers, limit: limit,
          source: .source(500) { payloads.attach($0.pointee.number, to: $0) }, [.block { _ in 0 }]
        ) {
          $0.pullsResults = true
          $0.readerIsAnotherThread = true
        }
        try pipeline.start()
        let read = Log<UInt64>()
        let reader = Threads(1) { _ in
          while let (status, result) = try? pipeline.nextResult(), status == .ok, let result {
            read.append(result.block.pointee.number)
            result.release()
          }
        }
        #expect(try pipeline.end() == .ok)
        reader.join()
        #expect(read.all == Array(0..<500))
        #expect(payloads.count(.delivered) == 500)
        #expect(try pipeline.nextResult().0 == .end)
        try pipeline.destroy()
      }
    }

    @Test("results that are unread or held keep their places")
    func heldResults() throws {
      let payloads = Payloads()
      let pipeline = try Pipeline(2, limit: 3, [.block { _ in 0 }]) { $0.pullsResults = true }
      #expect(throws: WorkpoolError.self) { _ = try pipeline.nextResult() }
      try pipeline.start()
      #expect(try pipeline.nextResult(timeout: 0).0 == .wouldBlock)
      #expect(try pipeline.nextResult(timeout: 1000).0 == .timedOut)
      for id in UInt64(0)..<3 { #expect(try pipeline.submit(payloads.make(id)) == .ok) }
      #expect(try pipeline.flush() == .resultsWaiting || (try pipeline.flush()) == .ok)
      let extra = payloads.make(3)
      #expect(try pipeline.submit(extra) == .resultsWaiting)
      #expect(try pipeline.submit(extra, timeout: 0) == .resultsWaiting)
      #expect(try pipeline.wait() == .resultsWaiting)
      let held = try (0..<3).map { _ in try pipeline.nextResult().1! }
      #expect(held.map(\.block.pointee.number) == [0, 1, 2])
      #expect(try pipeline.nextResult().0 == .wouldDeadlock)
      #expect(try pipeline.submit(extra) == .resultsWaiting)
      #expect(throws: WorkpoolError.self) { try pipeline.destroy() }
      held[1].release()
      #expect(try pipeline.submit(extra) == .ok)
      let last = try pipeline.nextResult().1!
      #expect(last.block.pointee.number == 3)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      #expect(throws: WorkpoolError.self) { try pipeline.start() }
      held[0].release()
      held[2].release()
      #expect(throws: WorkpoolError.self) { try pipeline.destroy() }
      last.release()
      #expect(payloads.releases == 4 && payloads.isEachOnce)
      try pipeline.destroy()
    }

    @Test("who holds every result of an ended input waits for the end, not for a place")
    func heldAtTheEnd() throws {
      let finishing = Gate()
      let stage = Stage.closure(
        finish: { _ in
          finishing.pass("the host")
          return 0
        }
      ) { _, _, _ in 0 }
      let pipeline = try Pipeline(2, limit: 1, [stage]) { $0.pullsResults = true }
      try pipeline.start()
      #expect(try pipeline.submit(Submission(0)) == .ok)
      let held = try #require(try pipeline.nextResult().1)
      #expect(try pipeline.nextResult().0 == .wouldDeadlock)
      try pipeline.close()
      finishing.waitForArrivals(1)
      #expect(try pipeline.nextResult(timeout: 0).0 == .wouldBlock)
      #expect(try pipeline.wait(timeout: 0) == .timedOut)
      finishing.open()
      #expect(try pipeline.nextResult().0 == .end)
      #expect(try pipeline.end() == .ok)
      held.release()
      try pipeline.destroy()
    }

    @Test("the blocks before an error are read first, then its status", arguments: [1, 2, 8])
    func prefixThenError(workers: Int) throws {
      let pipeline = try Pipeline(
        workers, limit: 8, source: .source(100),
        [.block { $0.pointee.number == 20 ? $0.fails() : 0 }]
      ) { $0.pullsResults = true }
      try pipeline.start()
      for number in UInt64(0)..<20 {
        let result = try pipeline.nextResult().1
        #expect(result?.block.pointee.number == number)
        result?.release()
      }
      #expect(try pipeline.nextResult().0 == .stageFailed)
      #expect(try pipeline.end() == .stageFailed)
      try pipeline.destroy()
    }

    // MARK: Flush

    @Test("flush waits for what was submitted, on any number of threads", arguments: Pools.counts)
    func flush(workers: Int) throws {
      let done = Tally()
      let pipeline = try Pipeline(
        workers, limit: 8, [.block { _ in 0 }],
        sink: .block("sink", .serial) { _ in
          done.add()
          return 0
        })
      try pipeline.start()
      #expect(try pipeline.flush() == .ok)
      var sum = 0
      for round in 1...100 {
        for _ in 0..<round { #expect(try pipeline.submit(Submission(0)) == .ok) }
        sum += round
        #expect(try pipeline.flush() == .ok)
        #expect(done.value == sum)
      }
      try pipeline.close()
      #expect(try pipeline.flush() == .ok)
      #expect(try pipeline.end() == .ok)
      #expect(try pipeline.flush() == .ok)
      try pipeline.destroy()
    }

    @Test("flush and close at once do not miss each other")
    func flushAndClose() throws {
      for trial in 0..<TestScale.scaled(500) {
        let pipeline = try Pipeline(2, limit: 8, [.block { _ in 0 }])
        try pipeline.start()
        for _ in 0..<trial % 4 { #expect(try pipeline.submit(Submission(0)) == .ok) }
        let flusher = Threads(2) { _ in
          if (try? pipeline.flush()) != .ok { fatalError("flush") }
        }
        try pipeline.close()
        flusher.join()
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
      }
    }

    @Test("a flush gives up at its time")
    func flushTimeout() throws {
      let gate = Gate()
      let pipeline = try Pipeline(
        2,
        [
          .block { _ in
            gate.pass()
            return 0
          }
        ])
      try pipeline.start()
      #expect(try pipeline.submit(Submission(0)) == .ok)
      #expect(try pipeline.flush(timeout: 0) == .timedOut)
      #expect(try pipeline.flush(timeout: 1000) == .timedOut)
      #expect(try pipeline.wait(timeout: 0) == .timedOut)
      gate.open()
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    // MARK: Stop

    @Test("a stopped run delivers what is in flight", arguments: Pools.counts)
    func stop(workers: Int) throws {
      for isPushed in [true, false] {
        let payloads = Payloads()
        let begun = Gate()
        let delivered = Log<UInt64>()
        let called = Tally()
        func source() -> Stage {
          .block("source", .serial) { block in
            payloads.attach(block.pointee.number, to: block)
            if called.add() == 50 { begun.open() }
            return 0
          }
        }
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(
          workers, limit: 8, source: isPushed ? nil : source(), [.block { _ in 0 }], sink: sink)
        try pipeline.start()
        if isPushed {
          for id in UInt64(0)..<50 { #expect(try pipeline.submit(payloads.make(id)) == .ok) }
          called.add(50)
        } else {
          begun.pass("the source")
        }
        try pipeline.stop()
        #expect(try pipeline.end() == .stopped)
        #expect(delivered.all == Array(0..<UInt64(called.value)))
        #expect(payloads.count(.delivered) == called.value)
        if isPushed { #expect(try pipeline.submit(Submission(0)) == .stopped) }
        try pipeline.stop()
        #expect(try pipeline.wait() == .stopped)
        #expect(try pipeline.result().number == nil)
        try pipeline.destroy()
      }
    }

    // MARK: Cancel

    enum CancelPlace: CaseIterable {
      case host, hostTwice, callback, source, sink, token, markedToken, parentToken, markedParent
    }

    @Test(
      "a cancel from anywhere ends the run and gives every block back once",
      arguments: [
        1, 2, 3, 8, 64,
      ])
    func cancel(workers: Int) throws {
      for place in CancelPlace.allCases {
        for isPushed in [true, false] where !(isPushed && place == .source) {
          for trial in 0..<TestScale.scaled(20) {
            try cancelOnce(workers, place, isPushed, at: UInt64(trial * 7))
          }
        }
      }
    }

    func cancelOnce(_ workers: Int, _ place: CancelPlace, _ isPushed: Bool, at point: UInt64) throws
    {
      let payloads = Payloads()
      let pipelines = Log<Pipeline>()
      let attached = Tally()
      let delivered = Log<UInt64>()
      let finished = Tally()
      let reached = Gate()
      let parent = try Token()
      let token = try Token(parent: parent)
      @Sendable func cancelHere(_ block: BlockPointer, _ here: CancelPlace) {
        if block.pointee.number == point {
          reached.open()
          if place == here { try? pipelines.all[0].cancel() }
        }
      }
      func source() -> Stage {
        .block("source", .serial) { block in
          payloads.attach(block.pointee.number, to: block)
          attached.add()
          cancelHere(block, .source)
          return 0
        }
      }
      let work = Stage.closure(finish: { _ in Int32(finished.add()) }) { block, _, _ in
        cancelHere(block, .callback)
        return 0
      }
      let sink = Stage.block("sink", .serial) { block in
        cancelHere(block, .sink)
        delivered.append(block.pointee.number)
        return 0
      }
      let pipeline = try Pipeline(
        workers, limit: 8, source: isPushed ? nil : source(),
        [work, .block("", .serialAnyOrder) { _ in 0 }], sink: sink
      ) {
        $0.token = token
      }
      pipelines.append(pipeline)
      try pipeline.start()
      let submitter = Threads(isPushed ? 2 : 0) { thread in
        var index: UInt64 = 0
        while true {
          let submission = payloads.make(UInt64(thread) << 32 | index)
          let status = try? pipeline.submit(submission)
          guard status == .ok else {
            if status != .cancelled { fatalError("\(String(describing: status))") }
            return payloads.discard(submission)
          }
          attached.add()
          index += 1
        }
      }
      reached.pass("block \(point)")
      switch place {
      case .host: try pipeline.cancel()
      case .hostTwice:
        try pipeline.cancel()
        try pipeline.cancel()
      case .token: token.cancel()
      case .markedToken: token.mark(.user)
      case .parentToken: parent.cancel()
      case .markedParent: parent.mark(.user)
      default: break
      }
      #expect(try pipeline.end("\(place)") == .cancelled)
      submitter.join()
      #expect(finished.value == 1)
      #expect(payloads.releases == attached.value && payloads.isEachOnce)
      #expect(payloads.count(.delivered) == delivered.count)
      #expect(payloads.count(.cancelled) == attached.value - delivered.count)
      #expect(delivered.all == Array(0..<UInt64(delivered.count)))
      #expect(try pipeline.result().delivered == UInt64(delivered.count))
      #expect(try pipeline.result().number == nil)
      try pipeline.cancel()
      #expect(try pipeline.wait() == .cancelled)
      try pipeline.destroy()
      #expect(!token.isObserved)
    }

    @Test("a run cancelled before its start calls nothing, one after its end stays as it is")
    func cancelOutside() throws {
      let token = try Token()
      let called = Tally()
      let work = Stage.block { _ in Int32(called.add() * 0) }
      let pipeline = try Pipeline(2, source: .source(10), [work]) { $0.token = token }
      #expect(throws: WorkpoolError.self) { try pipeline.cancel() }
      #expect(try pipeline.runToEnd() == .ok)
      try pipeline.cancel()
      #expect(try pipeline.wait() == .ok)
      #expect(called.value == 10)
      token.cancel()
      #expect(try pipeline.wait() == .ok)
      do {
        try pipeline.start()
        Issue.record("a cancelled token must not start")
      } catch {
        #expect(error.status == .cancelled)
      }
      #expect(called.value == 10)
      #expect(try pipeline.result().status == .ok)
      try pipeline.destroy()
    }

    @Test("waiting callers come back after a cancel", arguments: [true, false])
    func waiters(marks: Bool) throws {
      let token = try Token()
      let gate = Gate()
      let pipeline = try Pipeline(
        2, limit: 2,
        [
          .block { _ in
            gate.pass()
            return 0
          }
        ]
      ) {
        $0.pullsResults = true
        $0.readerIsAnotherThread = true
        $0.token = token
      }
      try pipeline.start()
      #expect(try pipeline.submit(Submission(0)) == .ok)
      #expect(try pipeline.submit(Submission(0)) == .ok)
      let statuses = Log<Status>()
      let threads = Threads(4) { thread in
        switch thread {
        case 0: statuses.append((try? pipeline.submit(Submission(0))) ?? .ok)
        case 1: statuses.append((try? pipeline.flush()) ?? .ok)
        case 2: statuses.append((try? pipeline.nextResult().0) ?? .ok)
        default: statuses.append((try? pipeline.wait()) ?? .ok)
        }
      }
      while pipeline.current!.pointee.flow.pointee.waiters.load(ordering: .relaxed) < 2 {}
      if marks { token.mark(.user) } else { token.cancel() }
      // Three of them wait for nothing that a callback does.
      let deadline = Clock.now + TestScale.patienceNanoseconds
      while statuses.count < 2 && Clock.now < deadline {}
      gate.open()
      threads.join()
      #expect(statuses.all == Array(repeating: .cancelled, count: 4))
      #expect(try pipeline.end() == .cancelled)
      try pipeline.destroy()
    }

    /// A result that is handed over while the run is being cancelled must not keep its place.
    @Test("no result stays behind a cancel, whoever reads", arguments: [1, 2, 8])
    func cancelAndResults(workers: Int) throws {
      for trial in 0..<TestScale.scaled(300) {
        let payloads = Payloads()
        let attached = Tally()
        let pipeline = try Pipeline(
          workers, limit: 1 + trial % 3,
          source: .block("source", .serial) { block in
            payloads.attach(block.pointee.number, to: block)
            attached.add()
            return 0
          }, [.block { _ in 0 }]
        ) {
          $0.pullsResults = true
          $0.readerIsAnotherThread = true
        }
        try pipeline.start()
        let reader = Threads(1) { _ in
          var count = 0
          while let (status, result) = try? pipeline.nextResult() {
            guard let result else {
              if status != .cancelled { fatalError("\(status)") }
              return
            }
            result.release()
            count += 1
            if count == trial % 10 { try? pipeline.cancel() }
          }
        }
        if trial % 10 == 0 { try pipeline.cancel() }
        reader.join()
        #expect(try pipeline.end() == .cancelled)
        #expect(payloads.releases == attached.value && payloads.isEachOnce)
        try pipeline.destroy()
      }
    }

    @Test("who reads during a cancel gets no result behind one that was discarded")
    func cancelDiscardsAllAtOnce() throws {
      let payloads = Payloads()
      let pipeline = try Pipeline(2, limit: 4, [.block { _ in 0 }]) { $0.pullsResults = true }
      let answers = Log<Status>()
      payloads.whenReleased.with {
        $0 = { _ in
          // Called for the first discarded result while the others may still lie there.
          if let (status, result) = try? pipeline.nextResult(timeout: 0) {
            answers.append(status)
            result?.release()
          }
        }
      }
      try pipeline.start()
      for id in UInt64(0)..<4 { #expect(try pipeline.submit(payloads.make(id)) == .ok) }
      #expect(try pipeline.flush() == .ok)
      try pipeline.cancel()
      #expect(try pipeline.end() == .cancelled)
      #expect(answers.all == [.cancelled, .cancelled, .cancelled, .cancelled])
      #expect(payloads.releases == 4 && payloads.isEachOnce)
      payloads.whenReleased.with { $0 = nil }
      try pipeline.destroy()
    }

    /// The many stages make the moment long in which some of them are cut and others not yet.
    @Test("what was delivered before a cancel is a prefix", arguments: [2, 8])
    func cancelDeliversAPrefix(workers: Int) throws {
      for trial in 0..<TestScale.scaled(200) {
        let delivered = Log<UInt64>()
        let sink = Stage.block("sink", .serial) { block in
          delivered.append(block.pointee.number)
          return 0
        }
        let pipeline = try Pipeline(
          workers, limit: 16, source: .source(.max),
          (0..<Pipeline.mostStages).map { _ in .block { _ in 0 } }, sink: sink)
        try pipeline.start()
        for _ in 0..<trial * 3 { wpl_yield() }
        try pipeline.cancel()
        #expect(try pipeline.end() == .cancelled)
        #expect(delivered.all == Array(0..<UInt64(delivered.count)))
        try pipeline.destroy()
      }
    }

    @Test("a release callback may cancel the same token again")
    func releaseCancels() throws {
      let token = try Token()
      let payloads = Payloads()
      payloads.whenReleased.with { $0 = { _ in token.cancel() } }
      let pipeline = try Pipeline(2, limit: 4, [.block { _ in 0 }]) {
        $0.pullsResults = true
        $0.token = token
      }
      try pipeline.start()
      for id in UInt64(0)..<4 { #expect(try pipeline.submit(payloads.make(id)) == .ok) }
      token.cancel()
      #expect(try pipeline.end() == .cancelled)
      #expect(payloads.releases == 4 && payloads.isEachOnce)
      try pipeline.destroy()
    }

    @Test("a cancel and the end at once: the status says what was delivered", arguments: [1, 2, 8])
    func cancelAtTheEnd(workers: Int) throws {
      for trial in 0..<TestScale.scaled(500) {
        let pipeline = try Pipeline(workers, limit: 4, source: .source(3), [.block { _ in 0 }]) {
          $0.pullsResults = true
        }
        try pipeline.start()
        let canceller = Threads(1) { _ in
          for _ in 0..<trial % 50 { wpl_yield() }
          try? pipeline.cancel()
        }
        if trial % 2 == 0 { _ = try pipeline.end() }
        canceller.join()
        var read = 0
        while true {
          let (status, result) = try pipeline.nextResult()
          guard let result else {
            #expect(status == .cancelled || status == .end && read == 3)
            break
          }
          read += 1
          result.release()
        }
        _ = try pipeline.end()
        try pipeline.destroy()
      }
    }
  }
}
