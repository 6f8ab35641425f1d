// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// A thread that sleeps in the pool until there is work in one group, or until it is called. In memory of
/// that thread, which it does not leave before it has had the pool's lock again.
struct Sleeper: ~Copyable {
  var parker = Parker()  // first, see Pool.parker
  /// -1: it has no seat and waits for one, or to be called.
  let seat: Int32
  let group: UnsafeMutablePointer<WorkGroup>
  // Under the pool's lock.
  var isCalled = false
  var duty = Pool.Duty.none
  var next: UnsafeMutablePointer<Sleeper>?

  init(seat: Int32, group: UnsafeMutablePointer<WorkGroup>) {
    self.seat = seat
    self.group = group
  }
}

/// Threads that wait for something of one group: a worker in a callback, which then works for that group
/// with its own seat, or a thread of the host with a seat that is free. They run nothing else.
extension Pool {
  /// Works for the group until it must look again whether its wait is over; sleeps if nothing is to be
  /// done.
  /// - Parameter seat: -1: only sleeps.
  func help(_ group: UnsafeMutablePointer<WorkGroup>, seat: Int32, _ limits: HelpLimits) {
    monitor.lock()
    guard group.pointee.calls.load(ordering: .relaxed) == limits.calls else {
      return monitor.unlock()
    }
    if seat >= 0, let source = sourceWithWork(of: group) {
      let isBlocked = seats[Int(seat)].isBlocked
      if isBlocked { unblock(Int(seat)) }
      enter(source)
      monitor.unlock()
      withUnsafePointer(to: limits) { terms in
        if work(in: source, seat, isSearching: false, terms) { stopSearching() }
      }
      monitor.lock()
      _ = leave(source)
      if isBlocked { block(Int(seat)) }
      monitor.unlock()
      if isBlocked { wakeForOtherWork() }
      return
    }
    let sleeper = wpl_thread_sleeper().assumingMemoryBound(to: Sleeper.self)
    sleeper.initialize(to: Sleeper(seat: seat, group: group))
    sleep(sleeper, until: limits.deadline)
    monitor.unlock()
  }

  /// With the lock held.
  private func sleep(_ sleeper: UnsafeMutablePointer<Sleeper>, until deadline: Int64) {
    let group = sleeper.pointee.group
    sleeper.pointee.next = firstSleeper
    firstSleeper = sleeper
    if sleeper.pointee.seat >= 0 {
      // S1, S2 of the essay in Pool.
      group.pointee.sleeping.wrappingAdd(1, ordering: .sequentiallyConsistent)
      if sourceWithWork(of: group) != nil { return call(sleeper, isSignalled: false) }
      if wantsSentinel(group) && !hasSentinel(for: group) {
        takeDuty(sleeper)
      } else if isSomebodyInside(group) {
        sleeper.pointee.duty = .relieved
      }
    }
    while !sleeper.pointee.isCalled {
      var end = deadline
      if sleeper.pointee.duty != .none {
        let soon = Clock.now + Self.sentinelTick
        end = end < 0 ? soon : min(end, soon)
      }
      monitor.unlock()
      let isSignalled = Parker.park(parker(of: sleeper), until: end)
      monitor.lock()
      if isSignalled || sleeper.pointee.isCalled { continue }
      tick(sleeper)
      if deadline >= 0 && Clock.now >= deadline && !sleeper.pointee.isCalled {
        call(sleeper, isSignalled: false)
      }
    }
  }

  /// With the lock held: takes a sleeper out of the list and wakes it.
  func call(_ sleeper: UnsafeMutablePointer<Sleeper>, isSignalled: Bool = true) {
    if firstSleeper == sleeper {
      firstSleeper = sleeper.pointee.next
    } else {
      var here = firstSleeper
      while let before = here, before.pointee.next != sleeper { here = before.pointee.next }
      here?.pointee.next = sleeper.pointee.next
    }
    let group = sleeper.pointee.group
    if sleeper.pointee.seat >= 0 {
      group.pointee.sleeping.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
    sleeper.pointee.isCalled = true
    if sleeper.pointee.duty == .sentinel {
      group.pointee.hasSentinel.store(false, ordering: .relaxed)
      handOverDuty()
    }
    // Under the lock: once it has had that, its memory serves for something else.
    if isSignalled { Parker.signal(parker(of: sleeper)) }
  }

  private func parker(of sleeper: UnsafeMutablePointer<Sleeper>) -> UnsafeMutablePointer<Parker> {
    UnsafeMutableRawPointer(sleeper).assumingMemoryBound(to: Parker.self)
  }

  /// What somebody waits for in the group may have come.
  func callHelpers(of group: UnsafeMutablePointer<WorkGroup>) {
    monitor.lock()
    group.pointee.calls.wrappingAdd(1, ordering: .relaxed)
    var here = firstSleeper
    while let sleeper = here {
      here = sleeper.pointee.next
      if sleeper.pointee.group == group { call(sleeper) }
    }
    monitor.unlock()
  }

  /// By a helper that goes: who was not woken because it was is woken now.
  func passOn(_ group: UnsafeMutablePointer<WorkGroup>) {
    monitor.lock()
    let hasMore = sourceWithWork(of: group) != nil
    monitor.unlock()
    if hasMore { wakeOne(for: group) }
  }

  // MARK: Seats

  /// The seat that this thread has in this pool.
  func ownSeat() -> Int32? {
    if let worker = wpl_thread_worker(), let index = seatIndex(of: worker) { return Int32(index) }
    return StackFrame.seat(in: shared)
  }

  /// A seat for a thread of the host.
  func takeSeat() -> Int32? {
    monitor.lock()
    defer { monitor.unlock() }
    return freeSeat()
  }

  /// With the lock held.
  func freeSeat() -> Int32? {
    let open = shared.pointee.openSeats.load(ordering: .relaxed)
    for index in hostSeats where !seats[index].isTaken && index < open {
      seats[index].isTaken = true
      return Int32(index)
    }
    return nil
  }

  func giveSeat(_ seat: Int32) {
    monitor.lock()
    seats[Int(seat)].isTaken = false
    if isDraining { noteDraining() }
    callSeatless()
    if isClosing { monitor.wakeAll() }
    monitor.unlock()
  }

  /// With the lock held: who waits for a seat looks again whether one is free.
  func callSeatless() {
    var here = firstSleeper
    while let sleeper = here {
      here = sleeper.pointee.next
      if sleeper.pointee.seat < 0 { call(sleeper) }
    }
  }

  // MARK: Sentinels among the sleepers

  private func hasSentinel(for group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    shared.pointee.hasSentinel.load(ordering: .relaxed)
      || group.pointee.hasSentinel.load(ordering: .relaxed)
  }

  private func takeDuty(_ sleeper: UnsafeMutablePointer<Sleeper>) {
    let group = sleeper.pointee.group
    sleeper.pointee.duty = .sentinel
    group.pointee.hasSentinel.store(true, ordering: .relaxed)
  }

  /// With the lock held: a sleeper looks after each group that wants it.
  func appointSleepers() {
    var here = firstSleeper
    while let sleeper = here {
      here = sleeper.pointee.next
      if sleeper.pointee.seat >= 0 && !hasSentinel(for: sleeper.pointee.group)
        && wantsSentinel(sleeper.pointee.group)
      {
        takeDuty(sleeper)
        Parker.signal(parker(of: sleeper))  // it sleeps on, but with a timeout
      }
    }
  }

  /// With the lock held: a sentinel goes while nobody is parked, see `Pool`; sleepers look once more.
  func relieveSleepers() {
    var here = firstSleeper
    while let sleeper = here {
      here = sleeper.pointee.next
      if sleeper.pointee.seat >= 0 && sleeper.pointee.duty == .none {
        sleeper.pointee.duty = .relieved
        Parker.signal(parker(of: sleeper))
      }
    }
  }

  /// As for a parked worker, for the sources of its group.
  private func tick(_ sleeper: UnsafeMutablePointer<Sleeper>) {
    let group = sleeper.pointee.group
    switch sleeper.pointee.duty {
    case .none:
      return
    case .sentinel:
      if shared.pointee.hasSentinel.load(ordering: .relaxed) {
        // There is one for all groups now.
        group.pointee.hasSentinel.store(false, ordering: .relaxed)
        sleeper.pointee.duty = .relieved
        return
      }
      var here = firstSource
      while let source = here {
        if source.pointee.group == group && source.pointee.isStuck(source.pointee.context) {
          return call(sleeper, isSignalled: false)
        }
        here = source.pointee.next
      }
      if !wantsSentinel(group) {
        group.pointee.hasSentinel.store(false, ordering: .relaxed)
        sleeper.pointee.duty = .relieved
      }
    case .relieved:
      if wantsSentinel(group) && !hasSentinel(for: group) {
        takeDuty(sleeper)
      } else {
        sleeper.pointee.duty = .none
      }
    }
  }

  private func wantsSentinel(_ group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    var here = firstSource
    while let source = here {
      if source.pointee.group == group && source.pointee.needsSentinel(source.pointee.context) {
        return true
      }
      here = source.pointee.next
    }
    return false
  }

  private func isSomebodyInside(_ group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    group.pointee.account.workersInside > 0
  }
}
