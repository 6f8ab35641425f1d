// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Synchronization
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

@Suite struct PoolTests {
  static func pool(
    _ workers: Int, _ configure: (inout Pool.Options) -> Void = { _ in }
  ) throws(WorkpoolError) -> Pool {
    var options = Pool.Options()
    options.workers = workers
    configure(&options)
    return try Pool(options)
  }

  static var threadName: String {
    let text = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
    return text?.trimmingCharacters(in: .newlines) ?? ""
  }

  /// Work that is a number of pieces; each worker takes one after the other.
  final class Pieces: @unchecked Sendable {
    let left = Atomic<Int>(0)
    let done = Atomic<Int>(0)
    let body: @Sendable (Int32) -> Void
    let pool: Pool
    let source: UnsafeMutablePointer<WorkSource>
    let group: UnsafeMutablePointer<WorkGroup>

    init(_ pool: Pool, _ body: @escaping @Sendable (Int32) -> Void) {
      self.pool = pool
      self.body = body
      source = .allocate(capacity: 1)
      group = .allocate(capacity: 1)
      group.initialize(to: WorkGroup())
      source.initialize(
        to: WorkSource(
          context: Unmanaged.passUnretained(self).toOpaque(), group: group,
          work: { context, seat, isSearching in
            let pieces = Unmanaged<Pieces>.fromOpaque(context).takeUnretainedValue()
            return pieces.work(seat, isSearching)
          },
          hasWork: { context in
            Unmanaged<Pieces>.fromOpaque(context).takeUnretainedValue()
              .left.load(ordering: .sequentiallyConsistent) > 0
          },
          needsSentinel: { _ in false }, isStuck: { _ in false }))
      pool.attach(source)
    }

    private func work(_ seat: Int32, _ isSearching: Bool) -> Bool {
      var isSearching = isSearching
      while true {
        if PoolLink(pool).sourceCount > 1 && PoolLink(pool).isSurplus(seat: Int(seat)) {
          if !isSearching { PoolLink(pool).beginSearch() }
          return true
        }
        let old = left.wrappingSubtract(1, ordering: .sequentiallyConsistent).oldValue
        guard old > 0 else {
          left.wrappingAdd(1, ordering: .sequentiallyConsistent)
          if !isSearching { PoolLink(pool).beginSearch() }
          return true
        }
        if isSearching {
          isSearching = false
          if PoolLink(pool).endSearch() { PoolLink(pool).wakeForOtherWork() }
        }
        body(seat)
        done.wrappingAdd(1, ordering: .sequentiallyConsistent)
      }
    }

    func publish(_ count: Int = 1) {
      left.wrappingAdd(count, ordering: .sequentiallyConsistent)
      PoolLink(pool).workAppeared()
    }

    func waitUntilDone(_ count: Int) {
      let isInTime = TestScale.withPatience { deadline in
        while done.load(ordering: .acquiring) < count {
          if Clock.now > deadline { return false }
          wpl_pause()
        }
        return true
      }
      if !isInTime { fatalError("stuck: \(left.load(ordering: .relaxed)) pieces left") }
    }

    func end() {
      pool.detach(source)
      pool.waitUntilLeft(source)
      source.deallocate()
      group.deallocate()
    }
  }

  @Test("a pool has the threads it was asked for, named and numbered", arguments: [1, 2, 8, 64])
  func threads(workers: Int) throws {
    let pool = try Self.pool(workers) { $0.namePrefix = "long-test-prefix" }
    #expect(pool.workerCount == workers)
    #expect(Pool.currentWorker == nil)
    let gate = Gate(opensAt: workers)
    let names = Log<String>()
    let faults = Log<String>()
    let pieces = Pieces(pool) { seat in
      if Pool.currentWorker != seat { faults.append("worker \(seat)") }
      var mask = sigset_t()
      pthread_sigmask(SIG_SETMASK, nil, &mask)
      for signal in [SIGINT, SIGTERM, SIGUSR1, SIGPIPE, SIGCHLD, SIGALRM]
      where sigismember(&mask, signal) != 1 { faults.append("signal \(signal) is not blocked") }
      for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT]
      where sigismember(&mask, signal) != 0 { faults.append("signal \(signal) is blocked") }
      names.append(Self.threadName)
      gate.pass("all workers at once")
    }
    pieces.publish(workers)
    pieces.waitUntilDone(workers)
    pieces.end()
    #expect(faults.all == [])
    #expect(names.count == workers && names.all.allSatisfy { $0 == "long-test-prefi" })
    try pool.close()
  }

  @Test("short names carry the index")
  func names() throws {
    let pool = try Self.pool(2) { $0.namePrefix = "t" }
    let names = Log<String>()
    let gate = Gate(opensAt: 2)
    let pieces = Pieces(pool) { _ in
      names.append(Self.threadName)
      gate.pass()
    }
    pieces.publish(2)
    pieces.waitUntilDone(2)
    pieces.end()
    #expect(names.all.sorted() == ["t-0", "t-1"])
    try pool.close()
  }

  @Test("hooks run on each thread once at its beginning and end")
  func hooks() throws {
    final class Counts: Sendable {
      let starts = Log<UInt32>()
      let stops = Log<UInt32>()
      let destroyed = Tally()
    }
    let counts = Counts()
    let pool = try Self.pool(8) {
      $0.hooks.context = Unmanaged.passUnretained(counts).toOpaque()
      $0.hooks.threadStart = {
        Unmanaged<Counts>.fromOpaque($0!).takeUnretainedValue().starts.append($1)
      }
      $0.hooks.threadStop = {
        Unmanaged<Counts>.fromOpaque($0!).takeUnretainedValue().stops.append($1)
      }
      $0.hooks.destroyContext = {
        _ = Unmanaged<Counts>.fromOpaque($0!).takeUnretainedValue().destroyed.add()
      }
    }
    try pool.close()
    #expect(counts.starts.all.sorted() == Array(0..<8))
    #expect(counts.stops.all.sorted() == Array(0..<8))
    #expect(counts.destroyed.value == 1)
  }

  @Test("sizes that cannot be are refused; 0 is the number of usable CPUs")
  func sizes() throws {
    for workers in [-1, 1025, .max, .min] {
      #expect(throws: WorkpoolError.self) { _ = try Self.pool(workers) }
    }
    #expect(throws: WorkpoolError.self) { _ = try Self.pool(1) { $0.stackSize = -1 } }
    let pool = try Self.pool(0)
    #expect(pool.workerCount == Pool.usableCPUs && pool.workerCount >= 1)
    try pool.close()
  }

  @Test("a pool in use does not close")
  func busy() throws {
    let pool = try Self.pool(1)
    pool.retain()
    #expect(throws: WorkpoolError.self) { try pool.close() }
    let refused = Tally()
    let pieces = Pieces(pool) { _ in
      do throws(WorkpoolError) { try pool.close() } catch { refused.add() }
    }
    pool.release()
    pieces.publish()
    pieces.waitUntilDone(1)
    pieces.end()
    #expect(refused.value == 1)
    try pool.close()
  }

  // The counter of failing threads belongs to the process: a process of its own.
  @Test("a thread that cannot be created is an error, or the pool is smaller if that is allowed")
  func fewerThreads() async {
    await #expect(processExitsWith: .success) {
      for possible in 0..<4 {
        wpl_fail_thread_after(Int64(possible))
        do throws(WorkpoolError) {
          _ = try PoolTests.pool(4)
          preconditionFailure("thread \(possible) must fail")
        } catch {
          precondition(error.status == .noThread, error.text)
        }
        wpl_fail_thread_after(Int64(possible))
        do throws(WorkpoolError) {
          var options = Pool.Options()
          options.workers = 4
          options.allowsFewerWorkers = true
          let pool = try Pool(options)
          precondition(possible > 0 && pool.workerCount == possible)
          let gate = Gate(opensAt: possible)
          let pieces = Pieces(pool) { seat in
            precondition(seat < possible)
            gate.pass("the threads there are")
          }
          pieces.publish(possible)
          pieces.waitUntilDone(possible)
          pieces.end()
          try pool.close()
        } catch {
          precondition(possible == 0 && error.status == .noThread, error.text)
        }
        wpl_fail_thread_after(-1)
      }
    }
  }

  @Test("creating a pool without memory fails cleanly, whichever allocation fails")
  func noMemory() throws {
    var refused = 0
    for allocation in 0..<Int64(100) {
      wpl_fail_own_allocation_after(allocation)
      defer { wpl_fail_own_allocation_after(-1) }
      do throws(WorkpoolError) {
        let pool = try Self.pool(4)
        wpl_fail_own_allocation_after(-1)
        try pool.close()
        break
      } catch {
        #expect(error.status == .noMemory || error.status == .noThread)
        refused += 1
      }
    }
    #expect(refused == 9)
  }

  /// The essay of `Pool`: pieces that are published one at a time, from several threads and from
  /// workers, while workers go to sleep all the time.
  @Test("no piece of work is left beside a sleeping worker", arguments: [1, 2, 3, 8])
  func noLostWakes(workers: Int) throws {
    let pool = try Self.pool(workers)
    let rounds = TestScale.scaled(20_000)
    let pieces = Pieces(pool) { _ in }
    for round in 1...rounds {
      pieces.publish()
      if round % 3 == 0 { pieces.waitUntilDone(round) }
    }
    pieces.waitUntilDone(rounds)
    Threads(3) { _ in for _ in 0..<rounds / 3 { pieces.publish() } }.join()
    pieces.waitUntilDone(rounds + rounds / 3 * 3)

    // One piece at a time, published at every point of a worker's way to sleep.
    var random = SeededRandom(seed: 1)
    let before = pieces.done.load(ordering: .relaxed)
    for round in 1...rounds {
      pieces.publish()
      pieces.waitUntilDone(before + round)
      for _ in 0..<random.below(300) { wpl_pause() }
    }
    pieces.end()
    try pool.close()
  }

  /// Two sources: the worker that was searching for both finds work in one of them and stays there
  /// until the other's work is done.
  @Test("work in one source does not hide work in another", arguments: [2, 3, 8])
  func twoSources(workers: Int) throws {
    let pool = try Self.pool(workers)
    for _ in 0..<TestScale.scaled(2000) {
      let gate = Gate(opensAt: 2)
      let sources = (0..<2).map { _ in Pieces(pool) { _ in gate.pass("the other source") } }
      Threads(2) { sources[$0].publish() }.join()
      for source in sources {
        source.waitUntilDone(1)
        source.end()
      }
    }
    try pool.close()
  }

  /// What is published while somebody searches wakes nobody; the searcher that stops looks again. Only the
  /// helper of a group may be there to do its work, whatever work there is in others.
  @Test("work that a helper sleeps for is not hidden by work of another group")
  func sleepingHelper() throws {
    let pool = try Self.pool(2) { $0.hostWorkers = 2 }
    let awaited = Pieces(pool) { _ in }
    let other = Pieces(pool) { _ in }
    let helper = Threads(1) { _ in
      guard let seat = pool.takeSeat() else { fatalError("no seat is free") }
      while awaited.done.load(ordering: .acquiring) == 0 {
        let calls = awaited.group.pointee.calls.load(ordering: .relaxed)
        pool.help(awaited.group, seat: seat, HelpLimits(calls: calls, deadline: -1))
      }
      pool.giveSeat(seat)
    }
    while awaited.group.pointee.sleeping.load(ordering: .acquiring) == 0 { wpl_yield() }
    PoolLink(pool).beginSearch()
    other.publish()
    awaited.publish()
    #expect(awaited.group.pointee.sleeping.load(ordering: .acquiring) == 1)
    pool.stopSearching()
    awaited.waitUntilDone(1)
    helper.join()
    awaited.end()
    other.end()
    try pool.close()
  }

  @Test("sources come and go while workers look for work", arguments: [1, 2, 8])
  func comingAndGoing(workers: Int) throws {
    let pool = try Self.pool(workers)
    Threads(3) { _ in
      for _ in 0..<TestScale.scaled(1000) {
        let pieces = Pieces(pool) { _ in }
        pieces.publish(3)
        pieces.waitUntilDone(3)
        pieces.end()
      }
    }.join()
    #expect(PoolLink(pool).sourceCount == 0)
    try pool.close()
  }

  /// The CPU time of all threads of a pool, from the moment they exist.
  final class ThreadClocks: @unchecked Sendable {
    private let clocks = Locked<[clockid_t]>([])

    func watch(_ options: inout Pool.Options) {
      options.hooks.context = Unmanaged.passUnretained(self).toOpaque()
      options.hooks.threadStart = { context, _ in
        guard let context else { return }
        var clock = clockid_t()
        pthread_getcpuclockid(pthread_self(), &clock)
        let clocks = Unmanaged<ThreadClocks>.fromOpaque(context).takeUnretainedValue().clocks
        clocks.with { $0.append(clock) }
      }
    }

    var count: Int { clocks.with { $0.count } }
    var nanoseconds: Int {
      clocks.with { clocks in
        clocks.reduce(0) { sum, clock in
          var time = timespec()
          clock_gettime(clock, &time)
          return sum + time.tv_sec * 1_000_000_000 + time.tv_nsec
        }
      }
    }
  }

  /// All are asleep: then for a while nobody uses CPU time, and nobody is woken.
  static func expectIdle(_ pool: Pool, _ clocks: ThreadClocks, threads: Int, _ what: Comment) {
    waitUntil("all threads") { clocks.count == threads }
    usleep(20_000)
    let (before, wakes) = (clocks.nanoseconds, PoolLink(pool).wakes)
    usleep(300_000)
    #expect(clocks.nanoseconds - before < 5_000_000, what)
    #expect(PoolLink(pool).wakes == wakes, what)
  }

  @Test("idle workers, those at rest and further ones use no CPU time and wake nobody")
  func idle() throws {
    let clocks = ThreadClocks()
    let pool = try Self.pool(16) {
      $0.blockingExtra = 4
      clocks.watch(&$0)
    }
    let gate = Gate(opensAt: 16)
    let pieces = Pieces(pool) { _ in gate.pass("all workers") }
    pieces.publish(16)
    pieces.waitUntilDone(16)
    waitUntil("all parked") { pool.parkedCount == 16 }
    Self.expectIdle(pool, clocks, threads: 20, "16 workers, 4 further ones")

    for count in [2, 16, 1] {
      try pool.setWorkers(count)
      waitUntil("parked or at rest") { pool.parkedCount == count && !pool.isDraining }
      Self.expectIdle(pool, clocks, threads: 20, "\(count) workers, the others rest")
      let word = pool.shared.pointee.word.load(ordering: .relaxed)
      #expect(word == UInt64(count), "nobody searches")
    }
    pieces.end()
    try pool.close()
    withExtendedLifetime(clocks) {}
  }

  @Test("a callback that blocks costs the others no CPU time", arguments: [0, 2])
  func idleBesideOne(extra: Int) throws {
    let clocks = ThreadClocks()
    let pool = try Self.pool(8) {
      $0.blockingExtra = extra
      clocks.watch(&$0)
    }
    let (isInside, mayEnd) = (Gate(), Gate())
    let pieces = Pieces(pool) { seat in
      PoolLink(pool).beginBlockingCall(seat: Int(seat))
      isInside.open()
      mayEnd.pass("the end")
      PoolLink(pool).endBlockingCall(seat: Int(seat))
    }
    pieces.publish()
    isInside.pass()
    waitUntil("the others parked") { pool.parkedCount == 7 + min(extra, 1) }
    Self.expectIdle(pool, clocks, threads: 8 + extra, "beside one that blocks")
    mayEnd.open()
    pieces.waitUntilDone(1)
    pieces.end()
    try pool.close()
    withExtendedLifetime(clocks) {}
  }
}

extension Pool {
  var parkedCount: Int {
    Int(shared.pointee.word.load(ordering: .relaxed) & 0xffff_ffff)
  }
}
