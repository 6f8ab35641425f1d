// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

@Suite struct WorkerCountTests {
  typealias Pieces = PoolTests.Pieces

  static func pool(_ workers: Int, most: Int) throws(WorkpoolError) -> Pool {
    try PoolTests.pool(workers) { $0.maxWorkers = most }
  }

  /// Until those who are too many rest.
  static func waitUntilSettled(_ pool: Pool) {
    waitUntil("surplus workers") {
      pool.monitor.lock()
      defer { pool.monitor.unlock() }
      return !pool.isDraining
    }
  }

  @Test("numbers that cannot be are refused, and change nothing")
  func refused() throws {
    for (workers, most) in [(2, 1), (2, -1), (2, 1025), (1, .max)] {
      #expect(throws: WorkpoolError.self) { _ = try Self.pool(workers, most: most) }
    }
    let pool = try Self.pool(2, most: 4)
    for count in [0, 5, -1, .min, .max] {
      #expect(throws: WorkpoolError.self) { try pool.setWorkers(count) }
    }
    #expect(pool.workerCount == 2 && pool.seatCount == 4)
    #expect(pool.seats[2].thread == nil && pool.seats[3].thread == nil)
    for count in [4, 4, 1, 1, 3] {
      try pool.setWorkers(count)
      #expect(pool.workerCount == count)
    }
    try pool.close()
  }

  @Test("as many work at once as there are workers", arguments: [1, 2, 8, 64])
  func asMany(initial: Int) throws {
    let pool = try Self.pool(initial, most: 64)
    for count in [64, 1, 3, 64, 2, 1, 17] {
      let isAwake = count % 2 == 0  // lower while workers are parked, or at once
      if !isAwake { waitUntil("all parked") { pool.parkedCount == pool.workerCount } }
      try pool.setWorkers(count)
      Self.waitUntilSettled(pool)
      let inside = Tally()
      let gate = Gate(opensAt: count)
      let pieces = Pieces(pool) { seat in
        if seat >= count { fatalError("worker \(seat) of \(count)") }
        inside.add()
        gate.pass("\(count) workers")
        inside.add(-1)
      }
      pieces.publish(count + 20)
      pieces.waitUntilDone(count + 20)
      pieces.end()
      #expect(inside.peak == count)
    }
    #expect(PoolLink(pool).sourceCount == 0)
    try pool.close()
  }

  @Test("workers that are all in callbacks finish these, and rest")
  func fromInside() throws {
    let pool = try Self.pool(8, most: 8)
    let gate = Gate()
    let inside = Tally()
    let isLowered = Atomic<Bool>(false)
    let pieces = Pieces(pool) { _ in
      if isLowered.load(ordering: .acquiring) {
        inside.add()
        wpl_yield()
        inside.add(-1)
      } else {
        gate.pass("lowered")
      }
    }
    pieces.publish(8)
    gate.waitForArrivals(8)
    try pool.setWorkers(1)
    isLowered.store(true, ordering: .releasing)
    pieces.publish(50)
    gate.open()
    pieces.waitUntilDone(58)
    Self.waitUntilSettled(pool)
    #expect(inside.peak == 1)
    waitUntil("one is parked") { pool.parkedCount == 1 }
    pieces.end()
    try pool.close()
  }

  @Test("a dump says who rests")
  func dump() throws {
    let pool = try PoolTests.pool(3) {
      $0.maxWorkers = 6
      $0.blockingExtra = 2
    }
    waitUntil("all parked") { pool.parkedCount == 3 }
    let further = "  workers 6-7: at rest until others are in callbacks that may block\n"
    #expect(pool.dump() == "pool of 3: 3 asleep, 0 looking for work\n" + further)
    try pool.setWorkers(1)
    Self.waitUntilSettled(pool)
    let fewer = ": at rest, there are fewer workers now\n"
    #expect(
      pool.dump() == "pool of 1: 1 asleep, 0 looking for work\n  workers 1-2\(fewer)" + further)
    try pool.setWorkers(5)
    waitUntil("all parked") { pool.parkedCount == 5 }
    try pool.setWorkers(4)
    #expect(pool.dump().contains("\n  worker 4\(fewer)"))
    let (isInside, mayEnd) = (Gate(), Gate())
    let pieces = Pieces(pool) { seat in
      PoolLink(pool).beginBlockingCall(seat: Int(seat))
      isInside.open()
      mayEnd.pass()
      PoolLink(pool).endBlockingCall(seat: Int(seat))
    }
    pieces.publish()
    isInside.pass()
    #expect(pool.dump().contains("\n  worker 0: in callbacks that may block\n"))
    #expect(pool.dump().contains("\n  worker 7: at rest until others"))
    mayEnd.open()
    pieces.waitUntilDone(1)
    pieces.end()
    try pool.close()
  }

  @Test("a callback asks for more workers, and has them")
  func raisedFromInside() throws {
    let pool = try Self.pool(1, most: 6)
    let gate = Gate(opensAt: 6)
    let pieces = Pieces(pool) { _ in
      do throws(WorkpoolError) { try pool.setWorkers(6) } catch { fatalError(error.text) }
      gate.pass("six")
    }
    pieces.publish(6)
    pieces.waitUntilDone(6)
    pieces.end()
    try pool.close()
  }

  @Test("no piece of work is left while the number changes all the time")
  func noLostWakes() throws {
    let pool = try Self.pool(4, most: 8)
    let rounds = TestScale.scaled(5000)
    let isOver = Atomic<Bool>(false)
    let pieces = Pieces(pool) { _ in }
    let changer = Threads(2) { thread in
      var random = SeededRandom(seed: UInt64(thread + 1))
      while !isOver.load(ordering: .relaxed) {
        do throws(WorkpoolError) { try pool.setWorkers(1 + random.below(8)) } catch {
          fatalError(error.text)
        }
        for _ in 0..<random.below(300) { wpl_pause() }
      }
    }
    for round in 1...rounds {
      pieces.publish()
      if round % 3 != 0 { pieces.waitUntilDone(round) }
    }
    pieces.waitUntilDone(rounds)
    isOver.store(true, ordering: .relaxed)
    changer.join()
    pieces.end()
    #expect(PoolLink(pool).sourceCount == (pool.isDraining ? 1 << 32 : 0))
    try pool.setWorkers(8)
    waitUntil("all are there") { pool.parkedCount == 8 }
    try pool.close()
  }

  // The counter of failing threads belongs to the process: a process of its own.
  @Test("without a thread for it the number stays as it was")
  func noThread() async {
    await #expect(processExitsWith: .success) {
      do throws(WorkpoolError) {
        let pool = try WorkerCountTests.pool(2, most: 5)
        for possible in 0..<3 {
          wpl_fail_thread_after(Int64(possible == 0 ? 0 : 1))
          do throws(WorkpoolError) {
            try pool.setWorkers(5)
            precondition(possible == 2)  // one more each time
          } catch {
            precondition(possible < 2 && error.status == .noThread, error.text)
            precondition(pool.workerCount == 2)
            waitUntil("two are parked") { pool.parkedCount == 2 }
          }
          wpl_fail_thread_after(-1)
          if possible == 1 { try pool.setWorkers(4) }
        }
        let gate = Gate(opensAt: 5)
        let pieces = PoolTests.Pieces(pool) { _ in gate.pass() }
        pieces.publish(5)
        pieces.waitUntilDone(5)
        pieces.end()
        try pool.close()
      } catch {
        preconditionFailure(error.text)
      }
    }
  }

  /// A source that wants a sentinel and never has work.
  final class Watched: @unchecked Sendable {
    let looks = Atomic<Int>(0)
    let source = UnsafeMutablePointer<WorkSource>.allocate(capacity: 1)
    let group = UnsafeMutablePointer<WorkGroup>.allocate(capacity: 1)

    init(_ pool: Pool) {
      group.initialize(to: WorkGroup())
      source.initialize(
        to: WorkSource(
          context: Unmanaged.passUnretained(self).toOpaque(), group: group,
          work: { _, _, _ in fatalError("there is no work") }, hasWork: { _ in false },
          needsSentinel: { _ in true },
          isStuck: { context in
            let watched = Unmanaged<Watched>.fromOpaque(context).takeUnretainedValue()
            watched.looks.wrappingAdd(1, ordering: .relaxed)
            return false
          }))
      pool.attach(source)
    }

    func end(_ pool: Pool) {
      pool.detach(source)
      pool.waitUntilLeft(source)
      source.deallocate()
      group.deallocate()
    }
  }

  @Test("a sentinel that rests hands its duty over")
  func sentinel() throws {
    let pool = try Self.pool(4, most: 4)
    waitUntil("all parked") { pool.parkedCount == 4 }
    let watched = Watched(pool)
    pool.appointSentinel()
    func waitForLooks() {
      let before = watched.looks.load(ordering: .relaxed)
      waitUntil("a sentinel") { watched.looks.load(ordering: .relaxed) > before + 2 }
    }
    for count in [3, 4, 2, 4, 1, 4, 1] {
      waitForLooks()
      // The last one that can be is on duty, so that it is one of those who go.
      pool.monitor.lock()
      for index in 0..<4 where pool.seats[index].duty != .none {
        pool.seats[index].duty = .none
      }
      for index in 0..<4 where pool.seats[index].isParked { pool.seats[index].duty = .none }
      let last = (0..<4).last { pool.seats[$0].isParked }
      if let last {
        pool.seats[last].duty = .sentinel
        pool.shared.pointee.hasSentinel.store(true, ordering: .relaxed)
        Parker.signal(pool.parker(last))
      }
      pool.monitor.unlock()
      try pool.setWorkers(count)
    }
    waitForLooks()
    watched.end(pool)
    try pool.close()
  }
}
