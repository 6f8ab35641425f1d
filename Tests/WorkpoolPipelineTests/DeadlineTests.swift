// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct DeadlineTests {
    static let soon: Int64 = 2_000_000
    static let never: Int64 = 3_600_000_000_000

    @Test(
      "a run that takes too long comes to timedOut, and every block is cleaned",
      arguments: Pools.counts)
    func deadline(workers: Int) throws {
      let payloads = Payloads()
      let ids = Tally()
      let finished = Log<Int32>()
      // Endless, but for the deadline.
      let pipeline = try Pipeline(
        workers, limit: 7,
        source: .block("source", .serial) {
          payloads.attach(UInt64(ids.add()), to: $0)
          return 0
        },
        [
          .block { _ in 0 },
          .closure(
            "serial", .serial,
            finish: {
              finished.append($0); return 0
            }
          ) { _, _, _ in 0 },
        ], sink: .block("sink", .serial) { _ in 0 }
      ) { $0.runTimeoutNanoseconds = Self.soon }
      for _ in 0..<3 {
        try pipeline.start()
        while try pipeline.wait(timeout: -1) != .timedOut {}
        let outcome = try pipeline.result()
        #expect(outcome.status == .timedOut && outcome.errors == 0)
        #expect(try pipeline.nextResultIsRefused())
      }
      #expect(finished.all == Array(repeating: Status.timedOut.rawValue, count: 3))
      try pipeline.destroy()
      #expect(payloads.isEachOnce)
    }

    @Test("waiters of a run at its deadline are told that it is cancelled", arguments: Pools.counts)
    func waiters(workers: Int) throws {
      let pipeline = try Pipeline(workers, limit: 2, [.block("last", .serial) { _ in 0 }]) {
        $0.pullsResults = true
        $0.readerIsAnotherThread = true
        $0.runTimeoutNanoseconds = Self.soon
      }
      try pipeline.start()
      // Number 0 never comes: everybody waits until the deadline.
      _ = try pipeline.submit(number: 1, Submission(1))
      let answers = Log<Status>()
      let waiters = Threads(4) { index in
        let answer: Status? =
          switch index {
          case 0: try? pipeline.nextResult().0
          case 1: try? pipeline.flush()
          case 2: try? pipeline.submit(number: 2, Submission(2))
          default: try? pipeline.wait(timeout: -1)
          }
        if let answer { answers.append(index == 3 && answer == .timedOut ? .cancelled : answer) }
      }
      waiters.join()
      #expect(answers.all == Array(repeating: Status.cancelled, count: 4))
      #expect(try pipeline.wait() == .timedOut)
      #expect(try pipeline.nextResult().0 == .cancelled)
      #expect(try pipeline.submit(number: 0, Submission(0)) == .cancelled)
      #expect(try pipeline.flush() == .cancelled)
      try pipeline.destroy()
    }

    @Test("an outcome that was there before the deadline stays", arguments: Pools.counts + [0])
    func lateDeadline(workers: Int) throws {
      for _ in 0..<TestScale.scaled(50) {
        let pipeline = try Pipeline(workers, source: .source(3), [.block { _ in 0 }]) {
          $0.runTimeoutNanoseconds = Self.never
        }
        #expect(try pipeline.runToEnd() == .ok)
        try pipeline.destroy()
      }
    }

    @Test("the earlier of cancel and deadline counts, whichever it is", arguments: Pools.counts)
    func race(workers: Int) throws {
      for trial in 0..<TestScale.scaled(100) {
        let pipeline = try Pipeline(workers, [.block { _ in 0 }]) {
          $0.runTimeoutNanoseconds = Int64(trial) * 3_000 + 1
        }
        try pipeline.start()
        wpl_yield()
        try pipeline.cancel()
        let status = try pipeline.wait()
        #expect(status == .cancelled || status == .timedOut)
        let token = pipeline.current?.pointee.token
        #expect(
          token?.reason
            == (status == .timedOut ? CancelReason.deadline : CancelReason.user).rawValue)
        try pipeline.destroy()
      }
      let early = try Pipeline(workers, [.block { _ in 0 }]) {
        $0.runTimeoutNanoseconds = Self.never
      }
      try early.start()
      try early.cancel()
      #expect(try early.wait() == .cancelled)
      try early.destroy()
    }

    @Test("a signal that marked the token before the deadline counts")
    func signalFirst() throws {
      let token = try Token()
      let pipeline = try Pipeline(2, [.block { _ in 0 }]) {
        $0.token = token
        $0.runTimeoutNanoseconds = Self.soon
      }
      try pipeline.start()
      token.mark(.user)
      #expect(try pipeline.wait() == .cancelled)
      try pipeline.destroy()
    }

    @Test("the serial reference looks at the clock between two calls")
    func serial() throws {
      let payloads = Payloads()
      let ids = Tally()
      let pipeline = try Pipeline(
        0,
        source: .block("source", .serial) {
          payloads.attach(UInt64(ids.add()), to: $0)
          return 0
        }, [.block { _ in 0 }]
      ) { $0.runTimeoutNanoseconds = Self.soon }
      #expect(try pipeline.run() == .timedOut)
      try pipeline.destroy()
      #expect(payloads.isEachOnce)
    }

    @Test("a run whose deadline cannot be watched does not begin")
    func noThread() throws {
      var options = Pool.Options()
      options.workers = 1
      let pool = try Pool(options)
      var given = Pipeline.Options()
      given.runTimeoutNanoseconds = Self.never
      let pipeline = try Pipeline(on: pool, given)
      let calls = Tally()
      try pipeline.setSource(.source(1) { _ in calls.add() })
      wpl_fail_own_thread_after(0)
      #expect(throws: WorkpoolError.self) { try pipeline.start() }
      wpl_fail_own_thread_after(-1)
      #expect(calls.value == 0)
      #expect(try pipeline.run() == .ok)
      #expect(calls.value == 1)
      try pipeline.destroy()
      try pool.close()
      given.runTimeoutNanoseconds = -1
      #expect(throws: WorkpoolError.self) { _ = try Pipeline(on: Pools.of(1), given) }
    }
  }
}

extension Pipeline {
  fileprivate func nextResultIsRefused() throws -> Bool {
    do {
      _ = try nextResult()
      return false
    } catch {
      return error.status == .invalidState
    }
  }
}
