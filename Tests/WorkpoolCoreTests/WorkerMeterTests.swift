// SPDX-License-Identifier: MIT
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

extension WorkerStatistics {
  var sum: UInt64 {
    busyNanoseconds + blockedNanoseconds + engineNanoseconds + idleNanoseconds
  }
}

@Suite struct WorkerMeterTests {
  private func withMeter(_ body: (UnsafeMutablePointer<WorkerMeter>) throws -> Void) throws {
    let arena = Arena()
    let meter = try arena.allocate(WorkerMeter.self, count: 1)
    meter.initialize(to: WorkerMeter())
    try body(meter)
    withExtendedLifetime(arena) {}
  }

  @Test("time goes to the state that ends, and the four always add up")
  func states() throws {
    try withMeter { meter in
      let begin = Clock.now
      #expect(meter.pointee.enter(.busy, at: begin) == .engine)
      #expect(meter.pointee.enter(.blocked, at: begin + 100) == .busy)
      #expect(meter.pointee.enter(.busy, at: begin + 1100) == .blocked)
      #expect(meter.pointee.enter(.engine, at: begin + 1105) == .busy)
      #expect(meter.pointee.enter(.idle, at: begin + 1205) == .engine)
      #expect(meter.pointee.enter(.engine, at: begin + 9205) == .idle)
      let seen = meter.pointee.statistics
      #expect(seen.busyNanoseconds == 105 && seen.blockedNanoseconds == 1000)
      #expect(seen.idleNanoseconds == 8000)
      #expect(seen.sum == seen.wallNanoseconds)
    }
  }

  @Test(
    "what is guessed of calls that were not timed comes out of the engine's time, if it is there")
  func untimed() throws {
    try withMeter { meter in
      let begin = Clock.now
      meter.pointee.enter(.idle, at: begin + 500)
      meter.pointee.count(calls: 7, untimed: 300)
      var seen = meter.pointee.statistics
      #expect(seen.busyNanoseconds == 300 && seen.calls == 7)
      #expect(seen.sum == seen.wallNanoseconds)
      meter.pointee.count(calls: 1, untimed: 1 << 50)
      seen = meter.pointee.statistics
      #expect(seen.engineNanoseconds == 0 && seen.calls == 8)
      #expect(seen.sum == seen.wallNanoseconds)
    }
  }

  @Test("snapshots from another thread add up while the worker changes its state")
  func snapshots() throws {
    try withMeter { meter in
      nonisolated(unsafe) let meter = meter
      let isOver = Tally()
      let faults = Tally()
      Threads(2) { index in
        if index == 0 {
          for round in 0..<TestScale.scaled(20_000) {
            meter.pointee.enter([.busy, .blocked, .engine, .idle][round % 4], at: Clock.now)
          }
          isOver.add()
        } else {
          while isOver.value == 0 {
            let seen = meter.pointee.statistics
            if seen.sum != seen.wallNanoseconds { faults.add() }
          }
        }
      }.join()
      #expect(faults.value == 0)
    }
  }

  @Test("a pool tells of each of its workers", arguments: [1, 3])
  func pool(workers: Int) throws {
    var options = Pool.Options()
    options.workers = workers
    let pool = try Pool(options)
    for index in 0..<workers {
      let seen = try pool.statistics(ofWorker: index)
      #expect(seen.sum == seen.wallNanoseconds && seen.calls == 0 && !seen.isHostThread)
    }
    #expect(throws: WorkpoolError.self) { try pool.statistics(ofWorker: workers) }
    #expect(throws: WorkpoolError.self) { try pool.statistics(ofWorker: -1) }
    try pool.close()
  }
}
