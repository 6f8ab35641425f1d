// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// The monitor of a run. Who waits for something under it and helps meanwhile, or sleeps in the pool, is
/// called together with those who sleep here.
struct RunMonitor: @unchecked Sendable {
  private let monitor: Monitor
  private let group: UnsafeMutablePointer<WorkGroup>
  private let pool: PoolLink

  init(_ monitor: Monitor, group: UnsafeMutablePointer<WorkGroup>, pool: PoolLink) {
    self.monitor = monitor
    self.group = group
    self.pool = pool
  }

  func destroy() { monitor.destroy() }
  func lock() { monitor.lock() }
  func unlock() { monitor.unlock() }
  func wait() { monitor.wait() }
  func wait(until deadline: Int64) -> Bool { monitor.wait(until: deadline) }

  /// With the lock held.
  func wakeAll() {
    monitor.wakeAll()
    if group.pointee.helpers.load(ordering: .relaxed) > 0 { pool.callHelpers() }
  }
}

/// One wait of a thread for something of a run: from the first time that it has to wait until it returns.
///
/// In a callback the thread first gives away what others could go on with, and says for whom it waits
/// (`WaitGraph`). Then it works for the run with its own seat; a thread of the host does so if the pool
/// has a seat for it. Who cannot work sleeps.
///
/// No call is missed: `helpers` is raised and `calls` read under the monitor, after the predicate was
/// found false there; whoever makes it true does so, or looks for waiters, under the monitor later,
/// sees `helpers` and changes `calls` under the pool's lock; and the helper goes to sleep, or on
/// working, only while `calls` is what it was.
struct RunWait {
  fileprivate var isBegun = false
  fileprivate var since: Int64 = 0
  fileprivate var isInCallback = false
  fileprivate var seat: Int32?
  fileprivate var isSeatTaken = false
}

extension PipelineRun {
  private static let tokenSlice: Int64 = 100_000_000

  /// With the monitor locked, which is given up meanwhile: waits for a while, at most until `deadline`.
  /// The caller looks again whether it has what it waits for.
  /// - Returns: false if the wait could never end: it closes a cycle of waits.
  func pause(_ wait: inout RunWait, _ deadline: Int64?, _ call: HostCall) -> Bool {
    if !wait.isBegun {
      guard PoolLink.beginWait(for: group) else { return false }
      wait.isBegun = true
      wait.since = Clock.now
      wait.isInCallback = PoolLink.isInCallback
      if wait.isInCallback {
        monitor.unlock()
        PoolLink.suspendCallback()
        wait.seat = pool.ownSeat
        monitor.lock()
        return true
      }
    }
    let begin = beginWait(for: call)
    let state = WorkerMeter.beginBlocking()
    defer {
      WorkerMeter.endBlocking(state)
      endWait(for: call, since: begin)
    }
    var listed = HostWait(call, since: wait.since)
    withUnsafeMutablePointer(to: &listed) { listed in
      HostWait.insert(listed, &host.pointee.firstWait)
      sleep(&wait, deadline)
      HostWait.remove(listed, &host.pointee.firstWait)
    }
    return true
  }

  /// With the monitor locked, which is given up meanwhile.
  private func sleep(_ wait: inout RunWait, _ deadline: Int64?) {
    // With a token that a signal handler may set, it looks at that now and then.
    let slice = hostWordCount > 0 ? Clock.now + Self.tokenSlice : nil
    let end = deadline.map { min($0, slice ?? $0) } ?? slice
    if let seat = wait.seat, wait.isSeatTaken, pool.isSurplus(seat: Int(seat)) {
      pool.giveSeat(seat)
      pool.passOn()
      wait.seat = nil
      wait.isSeatTaken = false
    }
    if wait.seat == nil && pool.hasHostSeats {
      wait.seat = pool.takeSeat()
      wait.isSeatTaken = wait.seat != nil
    }
    if wait.seat != nil || pool.hasHostSeats {
      group.pointee.helpers.wrappingAdd(1, ordering: .relaxed)
      let calls = group.pointee.calls.load(ordering: .relaxed)
      monitor.unlock()
      pool.help(seat: wait.seat ?? -1, calls: calls, deadline: end)
      monitor.lock()
      group.pointee.helpers.wrappingSubtract(1, ordering: .relaxed)
    } else if let end {
      _ = monitor.wait(until: end)
    } else {
      monitor.wait()
    }
    if isMarkedAnew {
      monitor.unlock()
      cancel()
      monitor.lock()
    }
  }

  /// A signal handler has cancelled the host's token, and nobody has seen it yet.
  private var isMarkedAnew: Bool {
    hostWordCount > 0 && isMarked && !flow.pointee.isCancelled.load(ordering: .relaxed)
  }

  /// Without the monitor, before a wait, so that it is not refused for what a cancelled run needs no more.
  func noticeMark() { if isMarkedAnew { cancel() } }

  /// Without the monitor: the wait is over.
  func end(_ wait: RunWait) {
    guard wait.isBegun else { return }
    if let seat = wait.seat {
      if wait.isSeatTaken { pool.giveSeat(seat) }
      // Who woke this thread for work has woken nobody else.
      pool.passOn()
    }
    if wait.isInCallback { PoolLink.endWait() }
  }

  // MARK: The worker whose callback waits

  /// Gives away turns, places and blocks, for this worker will be away for a while.
  func suspend(seat: Int) {
    passAll(seat)
    leaveForOthers()
  }

  func resume() { pace.pointee.active.wrappingAdd(1, ordering: .sequentiallyConsistent) }

  /// A helper goes, maybe for good: others take what it has.
  @inline(never)
  func handOver(_ seat: Int) {
    (seats + seat).pointee.current.store(0, ordering: .relaxed)
    passAll(seat)
    leaveForOthers()
  }

  private func passAll(_ seat: Int) {
    let own = seats + seat
    if own.pointee.keptTurns != 0 || own.pointee.keptPlaces != 0 { passKept(seat) }
    passBatch(seat)
    while let number = takeOwn(own) { publish(record(number)) }
  }

  /// This worker carries no blocks any more: if it was the only one, another one may.
  private func leaveForOthers() {
    pace.pointee.active.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    if hasWork { pool.workAppeared() }
  }
}
