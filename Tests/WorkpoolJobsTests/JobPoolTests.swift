// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

/// Opens once; threads wait for it.
final class Latch: @unchecked Sendable {
  private let monitor = try! Monitor()  // a test without memory is none
  private var isOpen = false

  func open() {
    monitor.lock()
    isOpen = true
    monitor.wakeAll()
    monitor.unlock()
  }

  func wait() {
    monitor.lock()
    while !isOpen { monitor.wait() }
    monitor.unlock()
  }
}

/// What several threads write down.
final class Notes<Note>: @unchecked Sendable {
  private let monitor = try! Monitor()
  private var notes: [Note] = []

  func add(_ note: Note) {
    monitor.lock()
    notes.append(note)
    monitor.unlock()
  }

  var all: [Note] {
    monitor.lock()
    defer { monitor.unlock() }
    return notes
  }
}

@Suite struct JobPoolTests {
  func makePool(
    slots: Int = 2, _ pool: Pool? = nil, _ change: (inout JobPool.Options) -> Void = { _ in }
  ) throws -> JobPool {
    var options = JobPool.Options()
    options.scheduling.limits.slots = slots
    change(&options)
    return try JobPool(options, pool: pool)
  }

  func callback(
    _ id: String, after: [String] = [], _ change: (inout JobSpec) -> Void = { _ in },
    _ function: @escaping (JobContext) -> JobOutcome = { _ in .completed }
  ) -> Job {
    Job(job(id, after: after, change), .callback(function))
  }

  @Test("a diamond runs in its order, on workers of its own and on those of a shared pool")
  func diamond() throws {
    let shared = try Pool()
    for pool in [nil, shared] {
      let jobs = try makePool(slots: 2, pool)
      let notes = Notes<String>()
      func note(_ id: String, _ after: [String]) -> Job {
        callback(id, after: after) { _ in
        } _: {
          notes.add($0.id)
          return .completed
        }
      }
      try jobs.submit([
        note("a", []), note("b", ["a"]), note("c", ["a"]), note("d", ["b", "c"]),
      ])
      #expect(try jobs.waitForAll() == .ok)
      #expect(notes.all.first == "a" && notes.all.last == "d" && notes.all.count == 4)
      try jobs.close()
    }
    try shared.close()
  }

  @Test("ten thousand jobs that do nothing, from four threads' worth of callbacks")
  func many() throws {
    let jobs = try makePool(slots: 4)
    let notes = Notes<Int>()
    for _ in 0..<10 {
      try jobs.submit(
        (0..<1000).map { place in
          callback("") { _ in
          } _: { _ in
            if place == 0 { notes.add(1) }
            return .completed
          }
        })
    }
    #expect(try jobs.waitForAll() == .ok)
    #expect(notes.all.count == 10)
    #expect(jobs.locked { jobs.scheduler.count(.completed) } == 10_000)
    #expect(jobs.locked { jobs.works.allSatisfy { $0 == nil } })
    try jobs.close()
  }

  @Test("a failure reaches those that wait at once; others go on")
  func failure() throws {
    let jobs = try makePool()
    let handles = try jobs.submit([
      callback("fetch") { _ in
      } _: { _ in
        JobOutcome(.error, -1000, "no net")
      },
      callback("clean", after: ["fetch"]), callback("load", after: ["clean"]), callback("other"),
    ])
    #expect(try jobs.wait(for: handles[0]) == .ok)
    #expect(jobs.state(handles[2]) == .cancelled)
    #expect(
      jobs.causeText(handles[2]) == "cancelled: fetch failed (status -1000) → clean → load")
    #expect(jobs.view(handles[0])?.text == "no net")
    #expect(try jobs.waitForAll() == .ok)
    #expect(jobs.state(handles[3]) == .completed)
    try jobs.close()
  }

  @Test("a cancel reaches the token of a running job; one from outside too")
  func cancel() throws {
    for isOutside in [false, true] {
      let jobs = try makePool()
      let started = Latch()
      let outside = try Token()
      let job = callback("a") { _ in
      } _: { context in
        guard let token = try? context.token() else { return JobOutcome(.error, -3) }
        started.open()
        while !token.isCancelled { wpl_yield() }
        return JobOutcome(.cancelled)
      }
      job.token = outside
      let handle = try jobs.submit(job)
      started.wait()
      if isOutside { outside.cancel() } else { #expect(jobs.cancel(handle) == .running) }
      #expect(try jobs.wait(for: handle) == .ok)
      #expect(jobs.view(handle)?.reason == .user)
      jobs.cancel(handle)
      try jobs.close()
      #expect(!outside.isObserved)
    }
  }

  @Test("completion callbacks may submit; a wait for all covers what they submit")
  func growth() throws {
    let jobs = try makePool(slots: 1)
    let notes = Notes<String>()
    _ = try jobs.onComplete { job in
      guard let id = jobs.view(job)?.spec.id else { return 1 }
      notes.add(id)
      if notes.all.count < 50 {
        _ = try? jobs.submit(callback("after-\(id)"))
      }
      return 0
    }
    try jobs.submit(callback("seed"))
    #expect(try jobs.waitForAll() == .ok)
    #expect(notes.all.count == 50)
    try jobs.close()
  }

  @Test("two subscribers see the same events in the same order, without gaps")
  func subscribers() throws {
    let jobs = try makePool()
    let first = Notes<JobEvent>()
    let second = Notes<JobEvent>()
    let one = try jobs.subscribe { first.add($0) }
    let two = try jobs.subscribe { second.add($0) }
    try jobs.submit((0..<3).map { callback("j\($0)") })
    #expect(try jobs.waitForAll() == .ok)
    try jobs.unsubscribe(one)
    try jobs.unsubscribe(two)
    #expect(first.all.map { $0.seq } == second.all.map { $0.seq })
    #expect(first.all.map { $0.seq } == Array(1...UInt64(first.all.count)))
    #expect(first.all.filter { $0.kind == .jobStarted || $0.kind == .jobFinished }.count == 6)
    try jobs.close()
  }

  @Test(
    "a job that waits without helping is told that it would wait for ever; one that helps is not")
  func waiting() throws {
    let jobs = try makePool(slots: 1)
    let notes = Notes<String>()
    let outer = callback("outer") { _ in
    } _: { _ in
      do throws(WorkpoolError) {
        let inner = try jobs.submit([
          callback("need") { _ in
          } _: { _ in
            notes.add("need")
            return .completed
          },
          callback("inner", after: ["need"]) { _ in
          } _: { _ in
            notes.add("inner")
            return .completed
          },
        ])
        do throws(WorkpoolError) {
          _ = try jobs.wait(for: inner[1])
        } catch {
          notes.add("\(error.status.name)")
        }
        notes.add("\(try jobs.wait(for: inner[1], helps: true).rawValue)")
      } catch {
        return JobOutcome(.error, error.status.rawValue, error.text)
      }
      return .completed
    }
    let handle = try jobs.submit(outer)
    #expect(try jobs.wait(for: handle) == .ok)
    #expect(jobs.state(handle) == .completed)
    #expect(notes.all == ["WP_WOULD_DEADLOCK", "need", "inner", "0"])
    try jobs.close()
  }

  @Test("a job that would wait for what waits for it is told so")
  func cycleOfWaits() throws {
    let jobs = try makePool(slots: 2)
    let notes = Notes<String>()
    let handle = try jobs.submit(
      callback("a") { _ in
      } _: { context in
        let after = try? jobs.submit(callback("b", after: ["a"]))
        guard let after else { return JobOutcome(.error, -1) }
        do throws(WorkpoolError) {
          _ = try jobs.wait(for: after, helps: true)
        } catch {
          notes.add("\(error.status.name)")
        }
        return .completed
      })
    #expect(try jobs.waitForAll() == .ok)
    #expect(jobs.state(handle) == .completed && notes.all == ["WP_WOULD_DEADLOCK"])
    try jobs.close()
  }

  @Test("a callback that does not stop is abandoned, named, and keeps its pool from being closed")
  func abandoned() throws {
    let jobs = try makePool(slots: 1) { $0.scheduling.grace = 1 }
    let mayEnd = Latch()
    let handle = try jobs.submit(
      callback("stuck") {
        $0.timeout = 1
      } _: { _ in
        mayEnd.wait()
        return .completed
      })
    #expect(try jobs.wait(for: handle) == .ok)
    let view = try #require(jobs.view(handle))
    #expect(view.state == .timeout && view.isAbandoned && view.isStillRunning)
    let refused = refusal { () throws(WorkpoolError) in try jobs.close() }
    #expect(refused?.status == .busy && refused?.message.contains("stuck") == true)
    let late = refusal { () throws(WorkpoolError) in
      try jobs.shutdown(waits: true, timeout: 0)
    }
    #expect(late?.status == .timedOut && late?.message.contains("stuck") == true)
    let returned = Latch()
    _ = try jobs.subscribe(JobEvent.Kind.jobReturned.bit) { _ in returned.open() }
    mayEnd.open()
    returned.wait()
    #expect(jobs.state(handle) == .timeout)
    try jobs.close()
  }

  @Test("in the place of abandoned callbacks others run, no more than may")
  func replaced() throws {
    let jobs = try makePool(slots: 2) {
      $0.scheduling.grace = 1
      $0.scheduling.replaceAbandoned = 1
    }
    let mayEnd = Latch()
    let stuck = try (0..<2).map { number in
      try jobs.submit(
        callback("stuck \(number)") {
          $0.timeout = 1
        } _: { _ in
          mayEnd.wait()
          return .completed
        })
    }
    for handle in stuck { #expect(try jobs.wait(for: handle) == .ok) }
    // Both slots are held, one is replaced: one job at a time runs.
    let running = Atomic<Int>(0)
    let handles = try jobs.submit(
      (0..<20).map { number in
        callback("\(number)") { _ in
        } _: { context in
          #expect(running.wrappingAdd(1, ordering: .relaxed).newValue == 1)
          #expect(context.slot == 2)
          running.wrappingSubtract(1, ordering: .relaxed)
          return .completed
        }
      })
    for handle in handles { #expect(try jobs.wait(for: handle) == .ok) }
    let returned = Latch()
    let count = Atomic<Int>(0)
    _ = try jobs.subscribe(JobEvent.Kind.jobReturned.bit) { _ in
      if count.wrappingAdd(1, ordering: .relaxed).newValue == 2 { returned.open() }
    }
    mayEnd.open()
    returned.wait()
    #expect(jobs.locked { jobs.scheduler.resources.substitutes } == 0)
    #expect(jobs.locked { jobs.scheduler.resources.usedSlots } == 0)
    try jobs.close()
  }

  @Test("retries run again after their delay")
  func retries() throws {
    let jobs = try makePool(slots: 1)
    let handle = try jobs.submit(
      callback("a") {
        $0.retry.maxRetries = 3
        $0.retry.delay = 1_000_000
      } _: {
        $0.attempt < 3 ? JobOutcome(.error, -1) : .completed
      })
    #expect(try jobs.wait(for: handle) == .ok)
    #expect(jobs.attempts(handle).count == 3 && jobs.state(handle) == .completed)
    try jobs.close()
  }

  @Test("commands end with their exit status; one that must stop is stopped with its group")
  func commands() throws {
    let jobs = try makePool(slots: 3)
    func command(_ id: String, _ line: String, _ change: (inout JobSpec) -> Void = { _ in }) -> Job
    {
      var spec = job(id)
      spec.kind = .command
      change(&spec)
      return Job(spec, .detached(CommandWork { _ in ChildCommand(shell: line) }))
    }
    let handles = try jobs.submit([
      command("good", "true"), command("bad", "exit 3"),
      command("slow", "sleep 1000 & sleep 1000") { $0.timeout = 20_000_000 },
      Job(
        job("none") { $0.kind = .command },
        .detached(CommandWork { _ in ChildCommand(["/nowhere/at/all"]) })),
    ])
    #expect(try jobs.waitForAll() == .ok)
    let views = handles.compactMap { jobs.view($0) }
    #expect(views.map { $0.state } == [.completed, .failed, .timeout, .failed])
    #expect(views[1].reason == .exit && views[1].detail == 3)
    #expect(views[3].reason == .spawn)
    try jobs.close()
  }

  @Test("a shutdown cancels what waits and stops what runs")
  func shutdown() throws {
    let jobs = try makePool(slots: 1)
    let started = Latch()
    let running = callback("runs") { _ in
    } _: { context in
      guard let token = try? context.token() else { return JobOutcome(.error, -3) }
      started.open()
      while !token.isCancelled { wpl_yield() }
      return JobOutcome(.cancelled)
    }
    let handles = try jobs.submit([running] + (0..<5).map { callback("q\($0)") })
    started.wait()
    try jobs.shutdown(waits: true, timeout: 1_000_000)
    #expect(handles.allSatisfy { jobs.view($0)?.reason == .shutdown })
    #expect(
      refusal { () throws(WorkpoolError) in _ = try jobs.submit(callback("late")) }?.status
        == .shutDown)
    try jobs.shutdown(waits: true, timeout: 0)
    try jobs.close()
  }

  @Test("questions and clean-ups are asked by the clerk, in their turn")
  func clerk() throws {
    let jobs = try makePool(slots: 1)
    let notes = Notes<String>()
    let old = callback("old")
    old.isUpToDate = { _ in true }
    let bad = callback("bad") { _ in
    } _: { _ in
      JobOutcome(.error, -1)
    }
    bad.cleanUp = { _ in notes.add("clean-up") }
    let always = callback("always", after: ["bad"]) {
      $0.when = .always
    } _: { _ in
      notes.add("always")
      return .completed
    }
    let handles = try jobs.submit([old, bad, always])
    #expect(try jobs.waitForAll() == .ok)
    #expect(jobs.view(handles[0])?.reason == .upToDate)
    #expect(notes.all == ["clean-up", "always"])
    try jobs.close()
  }

  @Test("a wait for all lasts until the last clean-up has returned")
  func lastCleanUp() throws {
    let jobs = try makePool(slots: 1)
    let mayEnd = Latch()
    let notes = Notes<String>()
    let bad = callback("bad") { _ in
    } _: { _ in
      JobOutcome(.error, -1)
    }
    bad.cleanUp = { _ in
      mayEnd.wait()
      notes.add("clean-up")
    }
    let handle = try jobs.submit(bad)
    #expect(try jobs.wait(for: handle) == .ok)
    #expect(try jobs.waitForAll(timeout: 0) == .timedOut)
    mayEnd.open()
    #expect(try jobs.waitForAll() == .ok)
    #expect(notes.all == ["clean-up"])
    try jobs.close()
  }

  @Test("who submits too much waits until there is room, or not at all")
  func backPressure() throws {
    let jobs = try makePool(slots: 1) { $0.scheduling.maxQueued = 1 }
    let mayEnd = Latch()
    try jobs.submit(
      callback("blocker") { _ in
      } _: { _ in
        mayEnd.wait()
        return .completed
      })
    try jobs.submit(callback("queued"))
    let full = refusal { () throws(WorkpoolError) in
      _ = try jobs.submit(callback("late"), timeout: 0)
    }
    #expect(full?.status == .wouldBlock)
    let late = refusal { () throws(WorkpoolError) in
      _ = try jobs.submit(callback("late"), timeout: 1)
    }
    #expect(late?.status == .timedOut)
    mayEnd.open()
    try jobs.submit(callback("late"))
    #expect(try jobs.waitForAll() == .ok)
    try jobs.close()
  }

  @Test("the contexts of jobs are let go of once, however they end")
  func release() throws {
    let jobs = try makePool(slots: 1) { $0.scheduling.retainFinished = 1 }
    let notes = Notes<Int>()
    func counted(_ id: String, after: [String] = [], _ outcome: JobOutcome = .completed) -> Job {
      let job = callback(id, after: after) { _ in
      } _: { _ in
        outcome
      }
      job.release = { notes.add(1) }
      return job
    }
    try jobs.submit([
      counted("a"), counted("b", JobOutcome(.error, -1)), counted("c", after: ["b"]), counted("d"),
    ])
    #expect(try jobs.waitForAll() == .ok)
    try jobs.close()
    #expect(notes.all.count == 4)
  }

  @Test("a token of the pool cancels all of it")
  func poolToken() throws {
    let token = try Token()
    let jobs = try makePool(slots: 1) { $0.token = token }
    let started = Latch()
    let handles = try jobs.submit([
      callback("runs") { _ in
      } _: { context in
        guard let token = try? context.token() else { return JobOutcome(.error, -3) }
        started.open()
        while !token.isCancelled { wpl_yield() }
        return JobOutcome(.cancelled)
      }, callback("waits"),
    ])
    started.wait()
    token.cancel()
    #expect(try jobs.waitForAll() == .ok)
    #expect(handles.allSatisfy { jobs.state($0) == .cancelled })
    try jobs.close()
    #expect(!token.isObserved)
  }
}
