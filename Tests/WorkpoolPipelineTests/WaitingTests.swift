// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// ENGINE.md §11, A13, and threads of the host that work.
  @Suite struct WaitingTests {
    static func pool(_ workers: Int, host: Int = 0) throws -> Pool {
      var options = Pool.Options()
      options.workers = workers
      options.hostWorkers = host
      return try Pool(options)
    }

    static func pipeline(
      on pool: Pool, limit: Int = 4, source: Stage? = nil, _ stages: [Stage] = [],
      sink: Stage? = nil, _ configure: (inout Pipeline.Options) -> Void = { _ in }
    ) throws -> Pipeline {
      var options = Pipeline.Options()
      options.maxBlocksInFlight = limit
      configure(&options)
      let pipeline = try Pipeline(on: pool, options)
      if let source { try pipeline.setSource(source) }
      for stage in stages { try pipeline.addStage(stage) }
      if let sink { try pipeline.setSink(sink) }
      return pipeline
    }

    // MARK: Nested

    @Test("a callback runs other pipelines of the pool, to any depth", arguments: Pools.counts)
    func nestedRuns(workers: Int) throws {
      let pool = Pools.of(workers)
      let done = Tally()
      @Sendable func nest(_ depth: Int) -> Int32 {
        guard depth > 0 else { return Int32(done.add() * 0) }
        do {
          let inner = try Self.pipeline(
            on: pool, source: .source(3), [.block { _ in nest(depth - 1) }])
          guard try inner.run() == .ok else { return -1000 }
          try inner.destroy()
          return 0
        } catch {
          return -1001
        }
      }
      for kind in [StageKind.parallel, .serial] {
        let before = done.value
        let outer = try Self.pipeline(
          on: pool, source: .source(9), [.block("", kind) { _ in nest(2) }])
        try outer.start()
        #expect(try outer.end("nested, \(workers) workers") == .ok)
        #expect(done.value - before == 9 * 3 * 3)
        try outer.destroy()
      }
    }

    @Test(
      "a callback submits to another pipeline of the pool and waits for places",
      arguments: Pools.counts)
    func nestedSubmits(workers: Int) throws {
      let pool = Pools.of(workers)
      for limit in [1, 3] {
        let delivered = Tally()
        let inner = try Self.pipeline(
          on: pool, limit: limit, [.block { _ in 0 }, .block("", .serial) { _ in 0 }],
          sink: .block("sink", .serial) { _ in Int32(delivered.add() * 0) })
        try inner.start()
        let outer = try Self.pipeline(
          on: pool, source: .source(200),
          [
            .block { block in
              for _ in 0..<3 {
                guard (try? inner.submit(Submission(block.pointee.number))) == .ok else {
                  return -1000
                }
              }
              return block.pointee.number % 16 != 0 || (try? inner.flush()) == .ok ? 0 : -1001
            }
          ])
        try outer.start()
        #expect(try outer.end("submits, \(workers) workers") == .ok)
        try inner.close()
        #expect(try inner.end("inner") == .ok)
        #expect(delivered.value == 600)
        try outer.destroy()
        try inner.destroy()
      }
    }

    @Test("a source, a sink and a finish callback may wait too", arguments: [1, 2, 8])
    func everywhere(workers: Int) throws {
      let pool = Pools.of(workers)
      let runs = Tally()
      @Sendable func runInner() -> Int32 {
        do {
          let inner = try Self.pipeline(
            on: pool, source: .source(5),
            [.block { _ in 0 }, .block("", .serialAnyOrder) { _ in 0 }])
          defer { try? inner.destroy() }
          runs.add()
          return try inner.run() == .ok ? 0 : -1000
        } catch {
          return -1001
        }
      }
      let source = Stage.closure("source", .serial, finish: { _ in runInner() }) { block, _, _ in
        block.pointee.number == 20 ? StageReturn.sourceEnd : runInner()
      }
      let sink = Stage.closure(
        "sink", .serial, workerStart: { _ in (runInner(), nil) }, finish: { _ in runInner() }
      ) { _, _, _ in runInner() }
      let outer = try Self.pipeline(on: pool, source: source, [.block { _ in 0 }], sink: sink)
      try outer.start()
      #expect(try outer.end("everywhere") == .ok)
      #expect(runs.value >= 20 + 20 + 2 + 1)
      try outer.destroy()
    }

    @Test("results of another pipeline are read in a callback", arguments: [1, 2, 8])
    func nestedResults(workers: Int) throws {
      let pool = Pools.of(workers)
      let inner = try Self.pipeline(on: pool, limit: 2, [.block { _ in 0 }]) {
        $0.pullsResults = true
      }
      try inner.start()
      let read = Log<UInt64>()
      let outer = try Self.pipeline(
        on: pool, source: .source(100),
        [
          .block("", .serial) { block in
            guard (try? inner.submit(Submission(block.pointee.number))) == .ok,
              let result = try? inner.nextResult().1
            else { return -1000 }
            read.append(result.block.pointee.meta.0)
            result.release()
            return 0
          }
        ])
      try outer.start()
      #expect(try outer.end("results") == .ok)
      #expect(read.all == Array(0..<100))
      try inner.close()
      #expect(try inner.end() == .ok)
      try outer.destroy()
      try inner.destroy()
    }

    @Test("who waits in a callback runs nothing else on that stack", arguments: [1, 2, 3, 8])
    func nothingUnrelated(workers: Int) throws {
      let pool = Pools.of(workers)
      let holders = Locked<Set<pthread_t>>([])
      let faults = Tally()
      let unrelated = try Self.pipeline(
        on: pool, limit: 16,
        [
          .block { _ in
            if holders.with({ $0.contains(pthread_self()) }) { faults.add() }
            return 0
          }
        ])
      try unrelated.start()
      let outer = try Self.pipeline(
        on: pool, source: .source(60),
        [
          .block { _ in
            _ = holders.with { $0.insert(pthread_self()) }
            defer { _ = holders.with { $0.remove(pthread_self()) } }
            guard
              let inner = try? Self.pipeline(on: pool, source: .source(20), [.block { _ in 0 }]),
              (try? inner.run()) == .ok, (try? inner.destroy()) != nil
            else { return -1000 }
            return 0
          }
        ])
      try outer.start()
      for word in 0..<UInt64(TestScale.scaled(2000)) {
        #expect(try unrelated.submit(Submission(word)) == .ok)
      }
      #expect(try outer.end("outer") == .ok)
      try unrelated.close()
      #expect(try unrelated.end("unrelated") == .ok)
      #expect(faults.value == 0)
      try outer.destroy()
      try unrelated.destroy()
    }

    // MARK: Cycles

    @Test(
      "of callbacks that wait for each other's pipelines one is refused", arguments: Pools.counts)
    func cycles(workers: Int) throws {
      let pool = Pools.of(workers)
      for length in [1, 2, 3, 5] {
        for trial in 0..<TestScale.scaled(20) {
          let pipelines = Log<Pipeline>()
          let refusals = Tally()
          let faults = Tally()
          for index in 0..<length {
            pipelines.append(
              try Self.pipeline(
                on: pool,
                [
                  .block { _ in
                    let next = pipelines.all[(index + 1) % length]
                    let status = try? trial % 2 == 0 ? next.wait() : next.flush()
                    if status == .wouldDeadlock {
                      refusals.add()
                    } else if status != .ok {
                      faults.add()
                    }
                    return 0
                  }
                ]))
          }
          for pipeline in pipelines.all { try pipeline.start() }
          for pipeline in pipelines.all { #expect(try pipeline.submit(Submission(0)) == .ok) }
          for pipeline in pipelines.all { try pipeline.close() }
          for pipeline in pipelines.all { #expect(try pipeline.end("cycle of \(length)") == .ok) }
          // A flush may find nothing to wait for; the end of the next one has not come yet.
          if trial % 2 == 0 || length == 1 { #expect(refusals.value >= 1) }
          #expect(faults.value == 0)
          for pipeline in pipelines.all { try pipeline.destroy() }
        }
      }
    }

    @Test("a pipeline that waits for this callback is not destroyed by it", arguments: [1, 2])
    func destroyInCycle(workers: Int) throws {
      let pool = Pools.of(workers)
      let pipelines = Log<Pipeline>()
      let status = Log<Status>()
      let first = try Self.pipeline(
        on: pool,
        [.block { _ in Int32(((try? pipelines.all[1].wait()) == .cancelled) ? 0 : -1000) }])
      let second = try Self.pipeline(
        on: pool,
        [
          .block { _ in
            do throws(WorkpoolError) {
              try pipelines.all[0].destroy()
            } catch {
              status.append(error.status)
            }
            try? pipelines.all[1].cancel()
            return 0
          }
        ])
      pipelines.append(first)
      pipelines.append(second)
      try first.start()
      try second.start()
      #expect(try first.submit(Submission(0)) == .ok)
      // The cycle is there once the first callback waits.
      let group = try #require(second.current).pointee.group
      while !PoolLink.isAwaited(group) { wpl_yield() }
      #expect(try second.submit(Submission(0)) == .ok)
      try first.close()
      // Cancelled, unless the second callback was a helper's, above the first one.
      #expect([.ok, .cancelled].contains(try first.end("first")))
      #expect(try second.end("second") == .cancelled)
      #expect(status.all == [.busy])
      try first.destroy()
      try second.destroy()
    }

    @Test("a wait in a callback gives up at its time", arguments: [1, 2])
    func timeouts(workers: Int) throws {
      let pool = Pools.of(workers)
      let inner = try Self.pipeline(on: pool, limit: 1, []) { $0.pullsResults = true }
      try inner.start()
      #expect(try inner.submit(Submission(0)) == .ok)
      #expect(try inner.flush() == .ok)
      let outer = try Self.pipeline(
        on: pool, source: .source(3),
        [
          .block { _ in
            (try? inner.wait(timeout: 0)) == .resultsWaiting
              && (try? inner.submit(Submission(1), timeout: 1000)) == .resultsWaiting ? 0 : -1000
          }
        ])
      #expect(try outer.runToEnd() == .ok)
      try outer.destroy()
      let result = try inner.nextResult().1
      result?.release()
      let waiting = try Self.pipeline(
        on: pool, source: .source(3),
        [
          .block { _ in
            for timeout in [Int64(0), 1000, 2_000_000] {
              guard (try? inner.wait(timeout: timeout)) == .timedOut else { return -1000 }
              let status = try? inner.nextResult(timeout: timeout).0
              guard status == (timeout == 0 ? .wouldBlock : .timedOut) else { return -1001 }
            }
            return 0
          }
        ])
      #expect(try waiting.runToEnd() == .ok)
      try waiting.destroy()
      try inner.close()
      #expect(try inner.end() == .ok)
      try inner.destroy()
    }

    // MARK: Threads of the host

    @Test("without threads of its own a pool runs everything on the host's", arguments: [1, 2, 8])
    func noThreads(workers: Int) throws {
      let pool = try Self.pool(workers, host: workers)
      #expect(pool.workerCount == workers)
      let main = pthread_self()
      let foreign = Tally()
      let delivered = Log<UInt64>()
      func sink() -> Stage {
        .closure("sink", .serial) { block, _, call in
          if pthread_self() != main || Pool.currentWorker != Int32(call.worker) { foreign.add() }
          delivered.append(block.pointee.number)
          return 0
        }
      }
      let pulled = try Self.pipeline(
        on: pool, source: .source(500), [.block { _ in 0 }], sink: sink())
      #expect(try pulled.run() == .ok)
      #expect(delivered.all == Array(0..<500))
      #expect(Pool.currentWorker == nil)
      try pulled.destroy()

      let pushed = try Self.pipeline(on: pool, [.block { _ in 0 }], sink: sink())
      try pushed.start()
      for word in 0..<UInt64(100) { #expect(try pushed.submit(Submission(word)) == .ok) }
      #expect(try pushed.flush() == .ok)
      #expect(delivered.count == 600)
      try pushed.close()
      #expect(try pushed.wait() == .ok)
      try pushed.destroy()
      #expect(foreign.value == 0)

      let read = try Self.pipeline(on: pool, source: .source(100), [.block { _ in 0 }]) {
        $0.pullsResults = true
      }
      try read.start()
      for number in UInt64(0)..<100 {
        let result = try read.nextResult().1
        #expect(result?.block.pointee.number == number)
        result?.release()
      }
      #expect(try read.nextResult().0 == .end)
      try read.destroy()
      try pool.close()
    }

    @Test("threads of the host that find no free seat wait for one", arguments: [0, 1])
    func fewSeats(own: Int) throws {
      let pool = try Self.pool(own + 1, host: 1)
      Threads(4) { thread in
        for _ in 0..<TestScale.scaled(50) {
          let count = Tally()
          guard
            let pipeline = try? Self.pipeline(
              on: pool, source: .source(20), [.block { _ in Int32(count.add() * 0) }]),
            (try? pipeline.run()) == .ok, (try? pipeline.destroy()) != nil, count.value == 20
          else { fatalError("thread \(thread)") }
        }
      }.join()
      try pool.close()
    }

    @Test("no more callbacks at once than workers, threads of the host included")
    func exclusion() throws {
      for (workers, host) in [(2, 1), (3, 3), (4, 2)] {
        let pool = try Self.pool(workers, host: host)
        let inside = Tally()
        Threads(5) { thread in
          guard
            let pipeline = try? Self.pipeline(
              on: pool, limit: 8, source: .source(UInt64(TestScale.scaled(300))),
              [
                .closure { _, _, call in
                  inside.add()
                  wpl_yield()
                  inside.add(-1)
                  return Int(call.worker) < workers ? 0 : -1000
                }
              ]),
            (try? pipeline.run()) == .ok, (try? pipeline.destroy()) != nil
          else { fatalError("thread \(thread)") }
        }.join()
        #expect(inside.peak <= workers)
        try pool.close()
      }
    }

    @Test("nested runs complete on threads of the host alone", arguments: [1, 2])
    func nestedOnHost(workers: Int) throws {
      let pool = try Self.pool(workers, host: workers)
      let outer = try Self.pipeline(
        on: pool, source: .source(20),
        [
          .block { _ in
            guard let inner = try? Self.pipeline(on: pool, source: .source(5), [.block { _ in 0 }]),
              (try? inner.run()) == .ok, (try? inner.destroy()) != nil
            else { return -1000 }
            return 0
          }
        ])
      #expect(try outer.run() == .ok)
      try outer.destroy()
      try pool.close()
    }

    @Test("pools that wait for each other: a callback of one runs a pipeline of another")
    func twoPools() throws {
      let one = try Self.pool(1)
      let other = try Self.pool(1, host: 1)
      let third = try Self.pool(1)
      let outer = try Self.pipeline(
        on: one, source: .source(10),
        [
          .block { _ in
            let middle = try? Self.pipeline(
              on: other, source: .source(3),
              [
                .block { _ in
                  // Back on the first pool, whose only worker waits below on this stack.
                  for pool in [one, third] {
                    guard
                      let inner = try? Self.pipeline(
                        on: pool, source: .source(3), [.block { _ in 0 }]),
                      (try? inner.run()) == .ok, (try? inner.destroy()) != nil
                    else { return -1000 }
                  }
                  return 0
                }
              ])
            guard let middle, (try? middle.run()) == .ok, (try? middle.destroy()) != nil else {
              return -1001
            }
            return 0
          }
        ])
      #expect(try outer.runToEnd("two pools") == .ok)
      try outer.destroy()
      for pool in [one, other, third] { try pool.close() }
    }

    // MARK: Workers from the host

    @Test(
      "a thread of the host is a worker until its token is cancelled", arguments: [true, false])
    func runWorker(isMarked: Bool) throws {
      let pool = try Self.pool(2, host: 2)
      let token = try Token()
      let statuses = Log<Status>()
      let threads = Threads(2) { _ in
        // The thread of the test has one of the seats while it waits.
        while true {
          if let status = try? pool.runWorker(until: token) { return statuses.append(status) }
          wpl_yield()
        }
      }
      for _ in 0..<20 {
        let pipeline = try Self.pipeline(on: pool, source: .source(200), [.block { _ in 0 }])
        try pipeline.start()
        #expect(try pipeline.end("a worker from the host") == .ok)
        try pipeline.destroy()
      }
      if isMarked { token.mark(.user) } else { token.cancel() }
      threads.join()
      #expect(statuses.all == [.cancelled, .cancelled])
      #expect(!token.isObserved)
      // A cancelled one comes back at once, and the seats are free again.
      #expect(try pool.runWorker(until: token) == .cancelled)
      #expect(Pool.currentWorker == nil)
      try pool.close()
    }

    @Test("closing the pool sends workers from the host away")
    func closeWithWorkers() throws {
      for round in 0..<TestScale.scaled(20) {
        let pool = try Self.pool(3, host: 2)
        let statuses = Log<Status>()
        let begun = Gate()
        let pipeline = try Self.pipeline(
          on: pool, source: .source(3),
          [
            .block { _ in
              begun.pass("three workers")
              return 0
            }
          ])
        try pipeline.start()
        let threads = Threads(2) { _ in
          if let status = try? pool.runWorker() { statuses.append(status) }
        }
        begun.waitForArrivals(3, "round \(round)")
        #expect(throws: WorkpoolError.self) { _ = try pool.runWorker() }
        #expect(throws: WorkpoolError.self) { try pool.close() }
        begun.open()
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
        try pool.close()
        threads.join()
        #expect(statuses.all == [.ok, .ok])
      }
    }

    @Test("a callback cannot make its thread a worker; without seats none can")
    func refusedWorkers() throws {
      let pool = try Self.pool(1)
      let statuses = Log<Status>()
      let pipeline = try Self.pipeline(
        on: pool, source: .source(1),
        [
          .block { _ in
            do throws(WorkpoolError) { _ = try pool.runWorker() } catch {
              statuses.append(error.status)
            }
            return 0
          }
        ])
      #expect(try pipeline.runToEnd() == .ok)
      try pipeline.destroy()
      do throws(WorkpoolError) { _ = try pool.runWorker() } catch { statuses.append(error.status) }
      #expect(statuses.all == [.wouldDeadlock, .busy])
      try pool.close()
      for (workers, host) in [(1, 2), (1, -1), (4, 5)] {
        #expect(throws: WorkpoolError.self) { _ = try Self.pool(workers, host: host) }
      }
    }
  }
}
