// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// A number of workers that changes while they work.
///
/// Workers sit on the seats below `openSeats`. One on a seat above *rests*: its thread sleeps, and is neither
/// parked nor searching. The seats of `hostSeats` are the last ones of those that the pool began
/// with; the threads of the seats behind them are created when they are first needed.
///
/// - Who is parked when the number falls rests from then on, without waking up, under the pool's lock. If
///   it was sentinel, or was about to look once more, it hands that over to another parked worker, or
///   to the sleeping helpers.
/// - Who is inside a source sees after each block whether its seat is still open (`PoolLink.isSurplus`). So
///   that this costs nothing at other times, it looks only while `sourceCount` says that workers are to
///   come out of sources now and then (`oneLooking`), which lasts until all surplus workers rest. It gives
///   away what it has, comes out as a searcher, and ends its search as one that has found something
///   does: it takes itself out of the word, and if it was the last searcher it looks whether there is work,
///   and wakes one who can do it. So a publisher that has relied on it is served.
/// - A worker in a callback that waits for a group helps that group until the wait is over.
/// - A thread of the host that waits on a seat of `hostSeats` is called (`WorkGroup.calls`) and gives the
///   seat back; one that is worker until further notice rests like all others.
/// - Who rests becomes a searcher when the number rises.
extension Pool {
  /// Changes how many workers there are. Any thread may do that, a callback too.
  ///
  /// Returns at once: surplus workers finish the block they carry, then rest. Threads that are needed for
  /// the first time are created here; those that rest are kept until the pool closes.
  ///
  /// - Parameter count: 1 to `Options.maxWorkers`.
  /// - Throws: `invalidArgument`; `noThread` if a thread cannot be created, and then the number stays.
  public func setWorkers(_ count: Int) throws(WorkpoolError) {
    let most = extraSeats.lowerBound
    guard 1...most ~= count else {
      throw WorkpoolError(.invalidArgument, "this pool has 1 to \(most) workers")
    }
    monitor.lock()
    while isChanging { monitor.wait() }
    isChanging = true
    var index = 0
    var isComplete = true
    while isComplete && index < count {
      if !hostSeats.contains(index) && seats[index].thread == nil {
        seats[index].isResting = true
        monitor.unlock()
        let thread = createThread(index)
        monitor.lock()
        seats[index].thread = thread
        isComplete = thread != nil
        if !isComplete { seats[index].isResting = false }
      }
      index += 1
    }
    isChanging = false
    monitor.wakeAll()
    if isComplete { open(count) }
    monitor.unlock()
    if isComplete && !extraSeats.isEmpty { wakeForOtherWork() }
    if !isComplete {
      throw WorkpoolError(.noThread, "the thread of worker \(index - 1) could not be created")
    }
  }

  /// With the lock held, and all threads there: these seats are open and no others.
  private func open(_ count: Int) {
    let before = shared.pointee.openSeats.load(ordering: .relaxed)
    shared.pointee.openSeats.store(count, ordering: .relaxed)
    shared.pointee.workers.store(count, ordering: .relaxed)
    for index in 0..<count where seats[index].isResting {
      rouse(index)
      Parker.signal(parker(index))
    }
    recountBlocked()
    if count > before { callSeatless() }
    guard count < before else { return noteDraining() }
    for index in count..<before where seats[index].isParked { layToRest(index) }
    noteDraining()
    if hostSeats.contains(where: { $0 >= count && seats[$0].isTaken }) { callSeated() }
  }

  /// With the lock held: helpers on seats of the host look whether they may stay.
  private func callSeated() {
    var here = firstSource
    while let source = here {
      here = source.pointee.next
      source.pointee.group.pointee.calls.wrappingAdd(1, ordering: .relaxed)
    }
    var next = firstSleeper
    while let sleeper = next {
      next = sleeper.pointee.next
      call(sleeper)
    }
  }

  /// With the lock held: one who is parked rests from now on, and sleeps on.
  func layToRest(_ index: Int) {
    seats[index].isParked = false
    seats[index].isResting = true
    shared.pointee.word.wrappingSubtract(Self.oneParked, ordering: .sequentiallyConsistent)
    let duty = seats[index].duty
    seats[index].duty = .none
    if duty == .none { return }
    if let heir = firstParked(), duty == .sentinel || seats[heir].duty == .none {
      seats[heir].duty = duty
      Parker.signal(parker(heir))  // it sleeps on, but with a timeout
    } else if firstParked() == nil {
      if duty == .sentinel { shared.pointee.hasSentinel.store(false, ordering: .relaxed) }
      appointSleepers()
      relieveSleepers()
    }
  }

  /// With the lock held, which is given up meanwhile, by a searcher on a seat that is not open any
  /// more: it rests, and searches no more.
  func rest(_ seat: UnsafeMutablePointer<Seat>) {
    seat.pointee.isResting = true
    if extraSeats.contains(Int(seat.pointee.index)) {
      extrasAwake -= 1
      noteSurplusExtras()
    }
    if isDraining { noteDraining() }
    guard PoolLink(self).endSearch() else { return }
    monitor.unlock()
    wakeForOtherWork()
    monitor.lock()
  }

  /// With the lock held: one who rests is a searcher from now on.
  func rouse(_ index: Int) {
    seats[index].isResting = false
    if extraSeats.contains(index) { extrasAwake += 1 }
    shared.pointee.word.wrappingAdd(Self.oneSearching, ordering: .sequentiallyConsistent)
  }

  /// With the lock held: whether there shall be a worker on this seat.
  func isOpen(_ index: Int) -> Bool {
    extraSeats.contains(index)
      ? extrasAwake <= blockedWorkers
      : index < shared.pointee.openSeats.load(ordering: .relaxed)
  }

  /// With the lock held: workers inside look after each block whether they shall rest, as long as one
  /// of them has to.
  func noteDraining() {
    let open = shared.pointee.openSeats.load(ordering: .relaxed)
    var index = open
    while index < extraSeats.lowerBound && !isAwake(index) { index += 1 }
    let isNeeded =
      index < extraSeats.lowerBound || shared.pointee.surplusExtras.load(ordering: .relaxed) > 0
    if isNeeded != isDraining {
      isDraining = isNeeded
      shared.pointee.sourceCount.wrappingAdd(
        isNeeded ? Self.oneLooking : -Self.oneLooking, ordering: .relaxed)
    }
  }

  private func isAwake(_ index: Int) -> Bool {
    (seats[index].thread != nil || seats[index].isTaken) && !seats[index].isResting
  }
}
