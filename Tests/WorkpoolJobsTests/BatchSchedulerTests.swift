// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

/// Simulated workers: they say what a seed makes them say, and die when it wants.
@Suite struct BatchSchedulerTests {
  private struct Random {
    var state: UInt64
    mutating func below(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(truncatingIfNeeded: (state >> 33) % UInt64(count))
    }
  }

  private struct Process {
    var hasStarted = false
    var isKilled = false
    var shallEnd = false
    var batch = 0
    var items: [Int] = []
    var begun = false
  }

  /// Plays a run to its end.
  /// - Returns: the scheduler, and how often each item was given to a worker.
  private func play(
    items: Int, workers: Int, options: BatchOptions, seed: UInt64, poison: Set<Int> = [],
    deaths: Int = 0, cancelAt: Int? = nil
  ) -> (scheduler: BatchScheduler, given: [Int]) {
    var random = Random(state: seed)
    var scheduler = BatchScheduler(items: items, workers: workers, options)
    var processes: [Int: Process] = [:]
    var given = Array(repeating: 0, count: items)
    var finished: Set<Int> = []
    var now: Int64 = 0
    var steps = 0
    func perform() {
      for action in scheduler.takeActions() {
        switch action {
        case .start(let worker):
          #expect(processes[worker] == nil, "seed \(seed): two processes for one worker")
          processes[worker] = Process()
          scheduler.started(worker, process: Int32(worker + 1))
        case .send(let worker, let batch, let items):
          #expect(!items.isEmpty && items.count <= options.batchSize)
          processes[worker]?.batch = batch
          processes[worker]?.items = items
          for item in items {
            given[item] += 1
            #expect(!finished.contains(item), "seed \(seed): item \(item) after its end")
          }
        case .finish(let worker): processes[worker]?.shallEnd = true
        case .stop(let worker), .kill(let worker): processes[worker]?.isKilled = true
        case .result(let item):
          #expect(finished.insert(item).inserted, "seed \(seed): item \(item) ends twice")
        case .crashed, .batchEnded: break
        }
      }
    }
    scheduler.begin(at: now)
    perform()
    while !scheduler.isOver {
      steps += 1
      guard steps < 200_000 else {
        Issue.record("seed \(seed) does not end")
        break
      }
      now += 1000
      if steps == cancelAt {
        scheduler.cancel(.user, at: now)
        perform()
      }
      guard
        let worker = processes.keys.sorted().dropFirst(random.below(max(1, processes.count))).first
      else {
        now = max(now, scheduler.nextDue ?? now)
        scheduler.tick(at: now)
        perform()
        continue
      }
      var process = processes[worker]!
      if process.isKilled || process.shallEnd {
        processes[worker] = nil
        scheduler.ended(worker, process.isKilled ? .signal(9) : .exit(0), at: now)
      } else if !process.hasStarted {
        process.hasStarted = true
        processes[worker] = process
        scheduler.ready(worker, at: now)
      } else if let item = process.items.first {
        let dies =
          poison.contains(item) && process.begun || deaths > 0 && random.below(100) < deaths
        if dies {
          processes[worker] = nil
          scheduler.ended(worker, random.below(2) == 0 ? .signal(11) : .exit(0), at: now)
        } else if !process.begun {
          process.begun = true
          processes[worker] = process
          scheduler.report(worker, .init(item: item, status: .started, phase: "work"), at: now)
        } else {
          process.begun = false
          process.items.removeFirst()
          processes[worker] = process
          let report = BatchScheduler.Report(item: item, status: item % 7 == 3 ? .failed : .ok)
          scheduler.report(worker, report, at: now)
          scheduler.report(worker, report, at: now)  // a duplicate is dropped
        }
      } else if process.batch > 0 {
        let batch = process.batch
        process.batch = 0
        processes[worker] = process
        scheduler.completed(worker, batch: batch, at: now)
      } else {
        // Idle; nothing comes of its own.
        now = max(now, min(scheduler.nextDue ?? now, now + 1_000_000))
        scheduler.tick(at: now)
      }
      perform()
    }
    #expect(
      finished.count == items, "seed \(seed): \(items - finished.count) items without a result")
    #expect(processes.isEmpty, "seed \(seed)")
    return (scheduler, given)
  }

  @Test("every item gets one result, whatever dies")
  func everyItemOnce() {
    for seed in UInt64(1)...2000 {
      var random = Random(state: seed)
      var options = BatchOptions()
      options.batchSize = 1 + random.below(12)
      options.maxCrashes = random.below(4)
      options.maxItemsPerWorker = random.below(3) == 0 ? 1 + random.below(10) : 0
      options.maxStartFailures = 1_000_000
      let items = random.below(60)
      let poison: Set<Int> = items > 3 && random.below(2) == 0 ? [random.below(items)] : []
      let cancelAt = random.below(4) == 0 ? 1 + random.below(200) : nil
      let (scheduler, given) = play(
        items: items, workers: 1 + random.below(4), options: options, seed: seed, poison: poison,
        deaths: random.below(3) == 0 ? 20 : 0, cancelAt: cancelAt)
      for item in 0..<items {
        let result = scheduler.results[item]
        #expect(Int(result.crashes) <= options.maxCrashes + 1)
        switch result.state {
        case .completed: #expect(!poison.contains(item) && item % 7 != 3)
        case .failed where result.reason == .poison:
          #expect(Int(result.crashes) == options.maxCrashes + 1)
          #expect(given[item] >= options.maxCrashes + 1)
        case .failed: #expect(result.reason == .error && item % 7 == 3)
        case .cancelled: #expect(cancelAt != nil && result.reason == .user)
        default: Issue.record("seed \(seed): item \(item) is \(result.state)")
        }
      }
    }
  }

  @Test("an item that kills its worker is given alone the next time, and ends as poison")
  func poison() {
    var options = BatchOptions()
    options.batchSize = 10
    let (scheduler, given) = play(
      items: 30, workers: 1, options: options, seed: 5, poison: [14])
    #expect(scheduler.results[14].state == .failed)
    #expect(scheduler.results[14].reason == .poison)
    #expect(scheduler.results[14].error.hasPrefix("3 workers lost: "))
    #expect(given[14] == 3)
    #expect(given[13] == 1)
    #expect(given[15] == 2)  // came back with the first batch, and no crash of its own
    #expect(scheduler.results[15].attempts == 1)
    #expect(scheduler.results[15].crashes == 0)
  }

  @Test("workers that do not start end the run: each item says so, and none is started any more")
  func startFailures() {
    var scheduler = BatchScheduler(items: 5, workers: 1, BatchOptions())
    scheduler.begin(at: 0)
    for time in Int64(1)...3 {
      #expect(scheduler.takeActions().contains(.start(worker: 0)))
      scheduler.failedToStart(0, "no such file", at: time)
    }
    #expect(!scheduler.takeActions().contains(.start(worker: 0)))
    #expect(scheduler.isOver)
    #expect(scheduler.failure == "3 workers in a row did not start: no such file")
    for result in scheduler.results {
      #expect(result.state == .failed && result.reason == .crashed)
      #expect(result.error == scheduler.failure)
    }
  }

  @Test("limits of an item, a batch, the messages and the start end the worker")
  func limits() {
    var options = BatchOptions()
    options.batchSize = 3
    options.startTimeout = 10
    options.itemTimeout = 100
    options.batchTimeout = 250
    options.heartbeatTimeout = 80
    options.maxCrashes = 0
    func busy() -> BatchScheduler {
      var scheduler = BatchScheduler(items: 3, workers: 1, options)
      scheduler.begin(at: 0)
      scheduler.ready(0, at: 5)
      _ = scheduler.takeActions()
      return scheduler
    }
    var late = BatchScheduler(items: 3, workers: 1, options)
    late.begin(at: 0)
    #expect(late.nextDue == 10)
    _ = late.takeActions()
    late.tick(at: 10)
    #expect(late.takeActions() == [.kill(worker: 0)])

    var silent = busy()
    #expect(silent.nextDue == 85)
    silent.tick(at: 85)
    #expect(silent.results[0].error == "1 workers lost: heartbeat timeout")

    var slow = busy()
    slow.heard(0, at: 80)
    #expect(slow.nextDue == 105)
    slow.tick(at: 105)
    #expect(slow.results[0].error == "1 workers lost: item timeout")
    #expect(!slow.results[1].state.isTerminal)

    var long = busy()
    for (item, time) in [(0, Int64(80)), (1, 160), (2, 240)] {
      long.heard(0, at: time)
      long.report(0, .init(item: item, status: .started), at: time)
      if item < 2 { long.report(0, .init(item: item, status: .ok), at: time) }
    }
    #expect(long.nextDue == 255)
    long.tick(at: 255)
    #expect(long.results[2].error == "1 workers lost: batch timeout")
    #expect(long.results[0].state == .completed)
  }

  @Test("transient failures are tried again after a delay, others are not, fatal ones end the run")
  func classes() {
    var options = BatchOptions()
    options.batchSize = 4
    options.retry.maxRetries = 1
    options.retry.delay = 50
    var scheduler = BatchScheduler(items: 4, workers: 1, options)
    scheduler.begin(at: 0)
    scheduler.ready(0, at: 1)
    _ = scheduler.takeActions()
    scheduler.report(
      0, .init(item: 0, status: .failed, error: "busy", errorClass: .transient), at: 2)
    scheduler.report(0, .init(item: 1, status: .failed, error: "bad"), at: 3)
    scheduler.report(0, .init(item: 2, status: .skipped), at: 4)
    #expect(scheduler.takeActions() == [.result(item: 1), .result(item: 2)])
    scheduler.report(0, .init(item: 3, status: .ok), at: 5)
    scheduler.completed(0, batch: 1, at: 6)
    #expect(
      scheduler.takeActions() == [.result(item: 3), .batchEnded(worker: 0, batch: 1)])
    #expect(scheduler.nextDue == 52)
    scheduler.tick(at: 52)
    #expect(scheduler.takeActions() == [.send(worker: 0, batch: 2, items: [0])])
    scheduler.report(
      0, .init(item: 0, status: .failed, error: "busy", errorClass: .transient), at: 60)
    #expect(scheduler.results[0].state == .failed && scheduler.results[0].attempts == 2)
    #expect(scheduler.results[2].state == .skipped)

    var fatal = BatchScheduler(items: 9, workers: 1, options)
    fatal.begin(at: 0)
    fatal.ready(0, at: 1)
    _ = fatal.takeActions()
    fatal.report(0, .init(item: 1, status: .failed, error: "disk", errorClass: .fatal), at: 2)
    #expect(fatal.results[1].state == .failed)
    for item in [0, 2, 3, 8] { #expect(fatal.results[item].state == .cancelled) }
    #expect(fatal.failure == "disk")
    #expect(fatal.takeActions().contains(.stop(worker: 0)))
  }
}
