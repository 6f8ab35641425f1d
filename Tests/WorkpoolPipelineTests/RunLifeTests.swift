// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct RunLifeTests {
    @Test("creating a run fails cleanly, whichever allocation fails", arguments: [0, 2])
    func noMemory(workers: Int) throws {
      if workers > 0 { _ = Pools.of(workers) }
      for isPushed in workers == 0 ? [false] : [false, true] {
        let payloads = Payloads()
        let token = try Token()
        var refused = 0
        for allocation in 0..<Int64(1000) {
          let destroyed = Tally()
          let calls = Tally()
          wpl_fail_own_allocation_after(allocation)
          defer { wpl_fail_own_allocation_after(-1) }
          var made: Pipeline?
          do {
            let pipeline = try Pipeline(
              workers, limit: 4,
              source: isPushed ? nil : .source(20),
              [
                .block("a name that is longer than sixteen bytes", .serialAnyOrder) { _ in 0 },
                .closure("limited", concurrency: 2, destroyed: { destroyed.add() }) { _, _, _ in
                  Int32(calls.add() * 0)
                },
              ]
            ) {
              $0.token = token
              $0.pullsResults = isPushed
            }
            made = pipeline
            if isPushed {
              try pipeline.start()
              for id in UInt64(0)..<4 { #expect(try pipeline.submit(payloads.make(id)) == .ok) }
              try pipeline.close()
            } else if workers == 0 {
              #expect(try pipeline.run() == .ok)
            } else {
              #expect(try pipeline.runToEnd() == .ok)
            }
            wpl_fail_own_allocation_after(-1)
            if !isPushed { #expect(calls.value == 20) }
            try pipeline.destroy()
            #expect(destroyed.value == 1)
            break
          } catch let error as WorkpoolError {
            wpl_fail_own_allocation_after(-1)
            #expect(error.status == .noMemory)
            refused += 1
            #expect(calls.value == 0)
            try made?.destroy()
            if made != nil { #expect(destroyed.value == 1) }
          }
        }
        #expect(refused > 10 && refused < 100)
        #expect(!token.isObserved)
      }
    }

    @Test("submitting a copy without memory takes nothing")
    func noMemoryForCopies() throws {
      let pipeline = try Pipeline(2, limit: 2, [.block { $0.pointee.size == 100 ? 0 : -1 }])
      try pipeline.start()
      var bytes = Array(repeating: UInt8(7), count: 100)
      bytes.withUnsafeMutableBytes { memory in
        var submission = Submission()
        submission.data = memory.baseAddress
        submission.size = 100
        // The recycled buffer and the one beside it: both must be refused.
        for numbered in [false] where !numbered {
          for failing in Int64(0)...1 {
            wpl_fail_own_allocation_after(failing)
            let status = try? pipeline.submit(submission)
            wpl_fail_own_allocation_after(-1)
            #expect(status == .ok || status == .noMemory)
          }
        }
        for _ in 0..<10 { #expect((try? pipeline.submit(submission)) == .ok) }
        wpl_fail_own_allocation_after(0)
        submission.size = 1 << 60
        #expect((try? pipeline.submit(submission)) == .noMemory)
        wpl_fail_own_allocation_after(-1)
      }
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("a pipeline runs again with numbers from 0", arguments: [1, 2, 8])
    func again(workers: Int) throws {
      let delivered = Log<UInt64>()
      let fails = Tally()
      let pipeline = try Pipeline(
        workers, limit: 8, source: .source(100),
        [.block { $0.pointee.number == 50 && fails.value == 1 ? $0.fails() : 0 }],
        sink: .block("sink", .serial) { block in
          delivered.append(block.pointee.number)
          return 0
        })
      #expect(throws: WorkpoolError.self) { try pipeline.result() }
      #expect(throws: WorkpoolError.self) { try pipeline.wait() }
      #expect(try pipeline.runToEnd() == .ok)
      fails.add()
      #expect(try pipeline.runToEnd() == .stageFailed)
      #expect(try pipeline.errors().count == 1)
      fails.add()
      #expect(try pipeline.runToEnd() == .ok)
      #expect(try pipeline.errors().isEmpty)
      #expect(delivered.all == Array(0..<100) + Array(0..<50) + Array(0..<100))
      #expect(try pipeline.statistics(ofStage: 1).calls == 100)
      try pipeline.destroy()
    }

    @Test("destroying a pipeline at any moment frees every block once", arguments: Pools.counts)
    func destroyWhileRunning(workers: Int) throws {
      for trial in 0..<TestScale.scaled(60) {
        let payloads = Payloads()
        let attached = Tally()
        let finished = Tally()
        let destroyed = Tally()
        func source() -> Stage {
          .block("source", .serial) { block in
            payloads.attach(block.pointee.number, to: block)
            attached.add()
            return 0
          }
        }
        let isPushed = trial % 3 == 0
        let stage = Stage.closure(
          finish: { _ in Int32(finished.add()) }, destroyed: { destroyed.add() }
        ) { _, _, _ in 0 }
        let pipeline = try Pipeline(
          workers, limit: 1 + trial % 9, source: isPushed ? nil : source(), [stage]
        ) { $0.pullsResults = trial % 2 == 0 }
        try pipeline.start()
        if isPushed {
          for id in 0..<UInt64(trial % 20) {
            let submission = payloads.make(id)
            if try pipeline.submit(submission, timeout: 0) == .ok {
              attached.add()
            } else {
              payloads.discard(submission)
            }
          }
        } else {
          for _ in 0..<trial % 64 { wpl_yield() }
        }
        try pipeline.destroy()
        #expect(payloads.releases == attached.value && payloads.isEachOnce)
        #expect(finished.value == 1 && destroyed.value == 1)
      }
    }

    @Test("a callback cannot destroy its own pipeline")
    func destroyInside() throws {
      let pipelines = Log<Pipeline>()
      let refused = Tally()
      let pipeline = try Pipeline(
        2, source: .source(1),
        [
          .block { _ in
            do throws(WorkpoolError) {
              try pipelines.all[0].destroy()
            } catch {
              refused.add(error.status == .busy ? 1 : 9)
            }
            return 0
          }
        ])
      pipelines.append(pipeline)
      #expect(try pipeline.runToEnd() == .ok)
      #expect(refused.value == 1)
      try pipeline.destroy()
    }

    @Test("building after the start and wrong uses are refused")
    func wrongUses() throws {
      let pipeline = try Pipeline(2)
      #expect(throws: WorkpoolError.self) { try pipeline.close() }
      #expect(throws: WorkpoolError.self) { try pipeline.stop() }
      #expect(throws: WorkpoolError.self) { try pipeline.run() }
      #expect(throws: WorkpoolError.self) { try pipeline.statistics() }
      try pipeline.start()
      #expect(throws: WorkpoolError.self) { try pipeline.start() }
      #expect(throws: WorkpoolError.self) { try pipeline.result() }
      let stage = Stage("", .parallel) { _, _, _, _ in 0 }
      #expect(throws: WorkpoolError.self) { try pipeline.addStage(stage) }
      #expect(throws: WorkpoolError.self) { try pipeline.setSource(stage) }
      #expect(throws: WorkpoolError.self) { try pipeline.setSink(stage) }
      #expect(throws: WorkpoolError.self) { _ = try pipeline.nextResult() }
      #expect(throws: WorkpoolError.self) { try pipeline.statistics(ofStage: 2) }
      #expect(throws: WorkpoolError.self) { try pipeline.statistics(ofStage: -1) }
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
      for limit in [0, -1, 65_537] {
        #expect(throws: WorkpoolError.self) { _ = try Pipeline(2, limit: limit) }
      }
      let pulled = try Pipeline(2, source: .source(0))
      try pulled.start()
      #expect(throws: WorkpoolError.self) { _ = try pulled.submit(Submission()) }
      #expect(throws: WorkpoolError.self) { _ = try pulled.flush() }
      #expect(try pulled.end() == .ok)
      try pulled.destroy()
    }

    @Test(
      "several pipelines on one pool all get on, also beside one that never pauses",
      arguments: [
        1, 2, 8,
      ])
    func shared(workers: Int) throws {
      let isOver = Tally()
      func endless() throws -> Pipeline {
        try Pipeline(
          workers, limit: 8,
          source: .block("source", .serial) { _ in
            isOver.value > 0 ? StageReturn.sourceEnd : 0
          }, [.block { _ in 0 }])
      }
      // One that pulls without end and one that is pushed without end.
      let pulling = try endless()
      try pulling.start()
      let pushed = try Pipeline(
        workers, limit: 64,
        [
          .block { block in
            for _ in 0..<500 { block.pointee.meta.0 &+= 3 }  // slower than who submits
            return 0
          }
        ])
      try pushed.start()
      let submitter = Threads(1) { _ in
        while isOver.value == 0 { _ = try? pushed.submit(Submission(0)) }
      }
      for _ in 0..<TestScale.scaled(20) {
        try ObstacleCourse(kinds: [.serial, .parallel, .serialAnyOrder], count: 50, limit: 4)
          .run(workers: workers)
      }
      isOver.add()
      submitter.join()
      try pushed.close()
      #expect(try pulling.end() == .ok)
      #expect(try pushed.end() == .ok)
      try pulling.destroy()
      try pushed.destroy()
    }

    /// The last worker that searches finds work in one pipeline; what was submitted to another one
    /// meanwhile needs a worker too, for the first callback waits for it.
    @Test("work submitted to two pipelines at once wakes two workers", arguments: [2, 3, 8])
    func twoAtOnce(workers: Int) throws {
      for _ in 0..<TestScale.scaled(300) {
        let both = Gate(opensAt: 2)
        let pipelines = try (0..<2).map { _ in
          try Pipeline(
            workers, limit: 4,
            [
              .block { _ in
                both.pass("the other pipeline")
                return 0
              }
            ])
        }
        for pipeline in pipelines { try pipeline.start() }
        let submitters = Threads(2) { _ = try? pipelines[$0].submit(Submission(0)) }
        submitters.join()
        for pipeline in pipelines {
          try pipeline.close()
          #expect(try pipeline.end() == .ok)
          try pipeline.destroy()
        }
      }
    }

    @Test("pipelines come and go on one pool from several threads", arguments: [1, 2, 8])
    func storm(workers: Int) throws {
      let faults = Log<String>()
      Threads(4) { thread in
        var random = SeededRandom(seed: UInt64(thread))
        do {
          for _ in 0..<TestScale.scaled(100) {
            let limit = 1 + random.below(8)
            let kinds = (0..<random.below(4)).map { _ in
              random.pick([StageKind.parallel, .serial, .serialAnyOrder])
            }
            switch random.below(3) {
            case 0:
              let course = ObstacleCourse(kinds: kinds, count: random.below(100), limit: limit)
              try course.run(workers: workers)
            case 1:
              let pipeline = try Pipeline(
                workers, limit: limit, source: .block("source", .serial) { _ in 0 },
                kinds.map { .block("", $0) { _ in 0 } })
              try pipeline.start()
              for _ in 0..<random.below(20) { wpl_yield() }
              try pipeline.destroy()
            default:
              let pipeline = try Pipeline(
                workers, limit: limit, kinds.map { .block("", $0) { _ in 0 } })
              try pipeline.start()
              for _ in 0..<random.below(40) {
                if try pipeline.submit(Submission(0)) != .ok { faults.append("submit") }
              }
              if random.chance(2), try pipeline.flush() != .ok { faults.append("flush") }
              if random.chance(2) {
                try pipeline.close()
                if try pipeline.end() != .ok { faults.append("end") }
              }
              try pipeline.destroy()
            }
          }
        } catch {
          faults.append("\(error)")
        }
      }.join()
      #expect(faults.all == [])
    }
  }
}
