// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct ProgressTests {
    static let never: Int64 = 3_600_000_000_000
    static let soon: Int64 = 1_000_000

    static func refusal(_ body: () throws(WorkpoolError) -> Void) -> Status? {
      do throws(WorkpoolError) {
        try body()
        return nil
      } catch {
        return error.status
      }
    }

    @Test(
      "each subscriber is told once more at the end of each run, before anybody who waits",
      arguments: Pools.counts + [0])
    func last(workers: Int) throws {
      let isWaiting = Tally()
      let (told, destroyed) = (Log<PipelineProgress>(), Tally())
      let pipeline = try Pipeline(
        workers, source: .source(100), [.block { $0.pointee.number % 10 == 3 ? 1 : 0 }],
        sink: .block("sink", .serial) { _ in 0 })
      for _ in 0..<3 {
        try pipeline.subscribe(every: Self.never, destroy: { destroyed.add() }) { progress in
          #expect(isWaiting.value == 1)
          told.append(progress)
        }
      }
      pipeline.setTotal(blocks: 1000, bytes: nil)
      for run in 1...2 {
        isWaiting.add()
        #expect(try pipeline.runToEnd() == .ok)
        isWaiting.add(-1)
        #expect(told.count == 3 * run)
      }
      for progress in told.all {
        #expect(progress.isLast && progress.blocksIn == 100 && progress.blocksOut == 90)
        #expect(progress.inFlight == 0 && progress.remainingNanoseconds == 0)
        #expect(progress.totalBlocks == 100 && progress.totalBytes == nil)  // what it was counts
        #expect(progress.wallNanoseconds > 0 && progress.blocksPerSecond > 0)
      }
      try pipeline.destroy()
      #expect(destroyed.value == 3)
      #expect(throws: WorkpoolError.self) { try pipeline.subscribe { _ in } }
    }

    @Test("bytes are counted as they come in and go out", arguments: Pools.counts + [0])
    func bytes(workers: Int) throws {
      let (told, payloads) = (Log<PipelineProgress>(), Payloads())
      let pipeline = try Pipeline(
        workers, source: .source(50) { payloads.attach($0.pointee.number, to: $0) },
        [
          .block {
            $0.pointee.size = 4; return 0
          }
        ], sink: .block("sink", .serial) { _ in 0 })
      try pipeline.subscribe(every: Self.never) { told.append($0) }
      pipeline.setTotal(blocks: nil, bytes: 4000)
      #expect(try pipeline.runToEnd() == .ok)
      let progress = try #require(told.all.first)
      #expect(progress.bytesIn == 50 * UInt64(Payloads.size) && progress.bytesOut == 200)
      #expect(progress.totalBytes == 4000)
      try pipeline.destroy()

      if workers == 0 { return }
      let pushed = try Pipeline(
        workers,
        [
          .block {
            $0.pointee.size = 4; return 0
          }
        ])
      try pushed.subscribe(every: Self.never) { told.append($0) }
      try pushed.start()
      for id in UInt64(0)..<50 { #expect(try pushed.submit(payloads.make(id)) == .ok) }
      try pushed.close()
      #expect(try pushed.end() == .ok)
      let pushedProgress = try #require(told.all.last)
      #expect(pushedProgress.bytesIn == 50 * UInt64(Payloads.size))
      #expect(pushedProgress.bytesOut == 200)
      try pushed.destroy()
    }

    @Test("calls of one pipeline never overlap, and may cancel it", arguments: Pools.counts)
    func overlap(workers: Int) throws {
      let (inside, calls) = (Tally(), Tally())
      let pipeline = try Pipeline(
        workers, source: .block("source", .serial) { _ in 0 }, [.block { _ in 0 }])
      for _ in 0..<3 {
        try pipeline.subscribe(every: Self.soon) { progress in
          inside.add()
          wpl_yield()
          inside.add(-1)
          if calls.add() == 10 { try? pipeline.cancel() }
          #expect(!progress.isLast || calls.value > 10)
        }
      }
      #expect(try pipeline.runToEnd() == .cancelled)
      #expect(inside.peak == 1 && calls.value >= 13)
      try pipeline.destroy()
    }

    @Test("inside a call nothing waits", arguments: [1, 3])
    func waiting(workers: Int) throws {
      let (answers, other) = (Log<Status>(), try Pipeline(workers, [.block { _ in 0 }]))
      try other.start()
      let pipeline = try Pipeline(workers, limit: 1, [.block { _ in 0 }]) { $0.pullsResults = true }
      try pipeline.subscribe(every: Self.soon) { progress in
        for target in [pipeline, other] {
          answers.append((try? target.wait()) ?? .ok)
          answers.append((try? target.flush()) ?? .ok)
          let refusal = Self.refusal { () throws(WorkpoolError) in try target.destroy() }
          answers.append(refusal == .busy ? .wouldDeadlock : refusal ?? .ok)
        }
        if !progress.isLast {
          answers.append((try? pipeline.nextResult().0) ?? .ok)
          #expect((try? pipeline.nextResult(timeout: 0).0) == .wouldBlock)
          #expect((try? pipeline.statistics()) != nil)
          try? pipeline.close()
        }
      }
      try pipeline.start()
      #expect(try pipeline.end() == .ok)
      #expect(answers.count >= 13 && answers.all.allSatisfy { $0 == .wouldDeadlock })
      try pipeline.destroy()
      try other.close()
      #expect(try other.end() == .ok)
      try other.destroy()
    }

    @Test("an outcome is decided before the last call", arguments: Pools.counts + [0])
    func lateCancel(workers: Int) throws {
      for _ in 0..<TestScale.scaled(50) {
        let pipeline = try Pipeline(workers, source: .source(3), [.block { _ in 0 }])
        try pipeline.subscribe(every: Self.never) { _ in try? pipeline.cancel() }
        #expect(try pipeline.runToEnd() == .ok)
        #expect(try pipeline.result().status == .ok)
        try pipeline.destroy()
      }
    }

    @Test("subscribers come and go while a run is under way", arguments: [1, 2, 8])
    func comeAndGo(workers: Int) throws {
      let pipeline = try Pipeline(workers, [.block { _ in 0 }])
      try pipeline.start()
      let threads = Threads(4) { thread in
        for trial in 0..<TestScale.scaled(30) {
          let (calls, destroyed, isCalled) = (Tally(), Tally(), Gate())
          guard
            let id = try? pipeline.subscribe(
              every: 1, destroy: { destroyed.add() },
              { _ in
                #expect(destroyed.value == 0)
                calls.add()
                isCalled.open()
              })
          else { fatalError("no subscriber") }
          if trial % 3 == 0 { isCalled.pass("a call") }
          try? pipeline.unsubscribe(id)
          let seen = calls.value
          #expect(destroyed.value == 1)
          wpl_yield()
          #expect(calls.value == seen)
          #expect(throws: WorkpoolError.self) { try pipeline.unsubscribe(id) }
        }
      }
      threads.join()
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("a subscriber may end its own subscription and others, and begin new ones")
    func reentrant() throws {
      let pipeline = try Pipeline(2, [.block { _ in 0 }])
      let (calls, destroyed, isDone) = (Tally(), Tally(), Gate())
      let own = Locked<UInt64>(0)
      let other = try pipeline.subscribe(every: Self.never, destroy: { destroyed.add() }) { _ in
        calls.add()
      }
      try own.with {
        $0 = try pipeline.subscribe(every: Self.soon, destroy: { destroyed.add() }) { _ in
          #expect(calls.value == 0)
          try? pipeline.unsubscribe(own.with { $0 })
          try? pipeline.unsubscribe(other)
          #expect(destroyed.value == 1)  // of the other one
          _ = try? pipeline.subscribe(every: Self.soon, destroy: { destroyed.add() }) { _ in
            calls.add()
            isDone.open()
          }
        }
      }
      try pipeline.start()
      isDone.pass("the new subscriber")
      #expect(destroyed.value == 2)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
      #expect(destroyed.value == 3)
    }

    @Test("the end of a subscription waits for a call that is under way, also for the last one")
    func removal() throws {
      for isLast in [false, true] {
        let pipeline = try Pipeline(2, [.block { _ in 0 }])
        let (isInside, mayEnd, destroyed) = (Gate(), Gate(), Tally())
        let id = try pipeline.subscribe(
          every: isLast ? Self.never : Self.soon, destroy: { destroyed.add() }
        ) { _ in
          isInside.open()
          mayEnd.pass("the end of a call")
          #expect(destroyed.value == 0)
        }
        try pipeline.start()
        if isLast { try pipeline.close() }
        isInside.pass("a call")
        let remover = Threads(1) { _ in
          try? pipeline.unsubscribe(id)
          #expect(destroyed.value == 1)
        }
        mayEnd.open()
        remover.join()
        if !isLast { try pipeline.close() }
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
      }
    }

    @Test("a call of another pipeline cannot end a subscription")
    func foreign() throws {
      let (one, other) = (try Pipeline(2, [.block { _ in 0 }]), try Pipeline(2))
      let id = try other.subscribe { _ in }
      let answers = Log<Status?>()
      try one.subscribe(every: Self.never) { _ in
        answers.append(
          Self.refusal { () throws(WorkpoolError) in try other.unsubscribe(id) })
      }
      try one.start()
      try one.close()
      #expect(try one.end() == .ok)
      #expect(answers.all == [.wouldDeadlock])
      try other.unsubscribe(id)
      try one.destroy()
      try other.destroy()
    }

    @Test("a run that cannot tell its subscribers does not begin")
    func noThread() throws {
      var options = Pool.Options()
      options.workers = 1
      let pool = try Pool(options)
      let pipeline = try Pipeline(on: pool)
      let calls = Tally()
      try pipeline.setSource(.source(1) { _ in calls.add() })
      try pipeline.subscribe { _ in calls.add(100) }
      wpl_fail_own_thread_after(0)
      #expect(throws: WorkpoolError.self) { try pipeline.start() }
      wpl_fail_own_thread_after(-1)
      #expect(calls.value == 0)
      #expect(try pipeline.run() == .ok)
      #expect(calls.value == 101)
      #expect(throws: WorkpoolError.self) { try pipeline.subscribe(every: 0) { _ in } }
      #expect(throws: WorkpoolError.self) { try pipeline.unsubscribe(7) }
      try pipeline.destroy()
      try pool.close()
    }
  }
}
