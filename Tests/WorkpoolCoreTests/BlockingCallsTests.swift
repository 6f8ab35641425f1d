// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

@Suite struct BlockingCallsTests {
  typealias Pieces = PoolTests.Pieces

  static func pool(_ workers: Int, extra: Int, most: Int = 0) throws(WorkpoolError) -> Pool {
    try PoolTests.pool(workers) {
      $0.blockingExtra = extra
      $0.maxWorkers = most
    }
  }

  /// What is true of a pool in which nobody is in a callback.
  static func waitUntilAllIsQuiet(_ pool: Pool) {
    waitUntil("all parked, and all further ones at rest") {
      pool.monitor.lock()
      defer { pool.monitor.unlock() }
      return pool.parkedCount == pool.workerCount && pool.extrasAwake == 0
        && pool.blockedWorkers == 0 && !pool.isDraining
    }
    #expect(PoolLink(pool).sourceCount == 0)
  }

  @Test("numbers that cannot be are refused; further workers have threads, and rest")
  func sizes() throws {
    for extra in [-1, 1025, .min, .max] {
      #expect(throws: WorkpoolError.self) { _ = try Self.pool(2, extra: extra) }
    }
    let pool = try Self.pool(2, extra: 3, most: 4)
    #expect(pool.workerCount == 2 && pool.seatCount == 7)
    #expect((0..<7).filter { pool.seats[$0].thread != nil } == [0, 1, 4, 5, 6])
    #expect(throws: WorkpoolError.self) { try pool.setWorkers(5) }
    try pool.setWorkers(4)
    Self.waitUntilAllIsQuiet(pool)
    try pool.close()
  }

  @Test(
    "while workers sit in calls that block as many others go on, up to the number of further ones",
    arguments: [(1, 1), (1, 3), (2, 1), (3, 8), (8, 64)])
  func goesOn(workers: Int, extra: Int) throws {
    let pool = try Self.pool(workers, extra: extra)
    let link = PoolLink(pool)
    for _ in 0..<TestScale.scaled(50) {
      let all = workers + extra
      let (isFull, mayEnd) = (Gate(opensAt: all), Gate())
      let inside = Tally()
      let pieces = Pieces(pool) { seat in
        link.beginBlockingCall(seat: Int(seat))
        inside.add()
        isFull.pass("all in calls that block")
        mayEnd.pass("the end")
        inside.add(-1)
        link.endBlockingCall(seat: Int(seat))
      }
      pieces.publish(all + 5)
      isFull.waitForArrivals(all)
      mayEnd.open()
      pieces.waitUntilDone(all + 5)
      #expect(inside.peak == all)
      pieces.end()
      Self.waitUntilAllIsQuiet(pool)
    }
    try pool.close()
  }

  @Test("work that comes while all workers block is done by a further one", arguments: [1, 2, 8])
  func laterWork(workers: Int) throws {
    for _ in 0..<TestScale.scaled(50) {
      let pool = try Self.pool(workers, extra: 2)
      let link = PoolLink(pool)
      let mayEnd = Gate()
      let blocking = Pieces(pool) { seat in
        link.beginBlockingCall(seat: Int(seat))
        mayEnd.pass("the end")
        link.endBlockingCall(seat: Int(seat))
      }
      // One of them may be a further worker; then a worker is free.
      blocking.publish(workers)
      mayEnd.waitForArrivals(workers)
      let seats = Log<Int32>()
      let others = Pieces(pool) { seats.append($0) }
      for round in 1...20 {
        others.publish()
        others.waitUntilDone(round)
      }
      if workers == 1 { #expect(seats.all == Array(repeating: 1, count: 20)) }
      mayEnd.open()
      blocking.waitUntilDone(workers)
      others.end()
      blocking.end()
      Self.waitUntilAllIsQuiet(pool)
      try pool.close()
    }
  }

  @Test("a call that begins to block wakes a worker that sleeps beside work")
  func wakes() throws {
    let pool = try Self.pool(2, extra: 0)
    let link = PoolLink(pool)
    waitUntil("all parked") { pool.parkedCount == 2 }
    let (isFirst, other) = (Tally(), Gate())
    let quiet = Locked<Pieces?>(nil)
    let pieces = Pieces(pool) { seat in
      if isFirst.add() > 1 { return other.open() }
      // For this one nobody is woken.
      quiet.with { _ = $0?.left.wrappingAdd(1, ordering: .sequentiallyConsistent) }
      link.beginBlockingCall(seat: Int(seat))
      other.pass("the other piece")
      link.endBlockingCall(seat: Int(seat))
    }
    quiet.with { $0 = pieces }
    pieces.publish()
    pieces.waitUntilDone(2)
    quiet.with { $0 = nil }
    pieces.end()
    try pool.close()
  }

  @Test("the number of workers changes while calls block")
  func changes() throws {
    let pool = try Self.pool(2, extra: 3, most: 6)
    let link = PoolLink(pool)
    let isOver = Atomic<Bool>(false)
    let rounds = TestScale.scaled(4000)
    let pieces = Pieces(pool) { seat in
      if Clock.now & 3 == 0 { return }
      link.beginBlockingCall(seat: Int(seat))
      if Clock.now & 7 == 1 { wpl_yield() }
      link.endBlockingCall(seat: Int(seat))
    }
    let changer = Threads(2) { thread in
      var random = SeededRandom(seed: UInt64(thread + 1))
      while !isOver.load(ordering: .relaxed) {
        do throws(WorkpoolError) { try pool.setWorkers(1 + random.below(6)) } catch {
          fatalError(error.text)
        }
        for _ in 0..<random.below(300) { wpl_pause() }
      }
    }
    for round in 1...rounds {
      pieces.publish(2)
      if round % 3 != 0 { pieces.waitUntilDone(2 * round) }
    }
    pieces.waitUntilDone(2 * rounds)
    isOver.store(true, ordering: .relaxed)
    changer.join()
    pieces.end()
    try pool.setWorkers(6)
    Self.waitUntilAllIsQuiet(pool)
    try pool.close()
  }

  // The counter of failing threads belongs to the process: a process of its own.
  @Test("without a thread for a further worker there is no pool, or one with fewer of them")
  func noThread() async {
    await #expect(processExitsWith: .success) {
      do throws(WorkpoolError) {
        for created in 0..<4 {
          wpl_fail_thread_after(Int64(created))
          do throws(WorkpoolError) {
            try BlockingCallsTests.pool(2, extra: 2).close()
            preconditionFailure("\(created) threads were enough")
          } catch {
            precondition(error.status == .noThread, error.text)
          }
        }
        wpl_fail_thread_after(3)
        let pool = try PoolTests.pool(2) {
          $0.blockingExtra = 2
          $0.allowsFewerWorkers = true
        }
        wpl_fail_thread_after(-1)
        precondition(pool.workerCount == 2)
        let link = PoolLink(pool)
        let gate = Gate(opensAt: 3)
        let pieces = PoolTests.Pieces(pool) { seat in
          link.beginBlockingCall(seat: Int(seat))
          gate.pass("three")
          link.endBlockingCall(seat: Int(seat))
        }
        pieces.publish(3)
        pieces.waitUntilDone(3)
        pieces.end()
        try pool.close()
      } catch {
        preconditionFailure(error.text)
      }
    }
  }
}
