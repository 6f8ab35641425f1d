// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// Callbacks in which a worker may sit for long without using its CPU.
///
/// Before a worker enters one it sees to it that somebody goes on with what there is to be done: if work
/// lies anywhere, somebody sleeps and nobody is searching, it wakes one. With `Options.blockingExtra`
/// there are further workers on the last seats (`extraSeats`). They rest, see `setWorkers`, but for the
/// times when workers sit in such callbacks: then up to as many of them as there are such workers are
/// awake or parked. One that enters such a callback itself is not counted meanwhile, so that the
/// next one may go on, and so on up to the last. So beside those in such callbacks no more run than there are
/// workers, but for this: when a worker comes back, one of the further ones finishes the block that it
/// carries, then rests.
///
/// - A further worker that may be there is *parked* on its behalf, asleep as it is, under the pool's lock:
///   S1 of the essay in `Pool`. S2 is what the worker does next that is about to enter the
///   callback: it looks for work everywhere, unless somebody is searching, who parks later and then has
///   an S2 of his own. If others are inside a source they may have published quietly: then the parked
///   one gets up once to sleep with a timeout, as everybody who parks while others are inside.
/// - One that need not be there any more, and is parked, is laid to rest as it sleeps. If none is
///   parked, one that is awake comes out as it does when the number of workers falls
///   (`PoolLink.isSurplus`).
/// - A worker whose blocking callback waits for a group and works for it meanwhile is none of those that sit
///   in such callbacks while it works.
extension Pool {
  func beginBlockingCall(_ index: Int) {
    monitor.lock()
    block(index)
    monitor.unlock()
  }

  func endBlockingCall(_ index: Int) {
    monitor.lock()
    unblock(index)
    monitor.unlock()
  }

  /// With the lock held; afterwards the caller looks for work, see `PoolLink.beginBlockingCall`.
  func block(_ index: Int) {
    seats[index].isBlocked = true
    count(index, 1)
    balanceExtras()
  }

  /// With the lock held.
  func unblock(_ index: Int) {
    seats[index].isBlocked = false
    count(index, -1)
    balanceExtras()
  }

  private func count(_ index: Int, _ change: Int) {
    if extraSeats.contains(index) {
      extrasAwake -= change
    } else if index < shared.pointee.openSeats.load(ordering: .relaxed) {
      blockedWorkers += change
    }
  }

  /// With the lock held: the seats that are open have changed.
  func recountBlocked() {
    if extraSeats.isEmpty { return }
    blockedWorkers = 0
    for index in 0..<shared.pointee.openSeats.load(ordering: .relaxed) where seats[index].isBlocked
    {
      blockedWorkers += 1
    }
    balanceExtras()
  }

  /// With the lock held: as many further workers are there as may be, or will be soon.
  private func balanceExtras() {
    var index = extraSeats.lowerBound
    while extrasAwake < blockedWorkers && index < extraSeats.upperBound {
      if seats[index].isResting && seats[index].thread != nil { parkExtra(index) }
      index += 1
    }
    index = extraSeats.upperBound
    while extrasAwake > blockedWorkers && index > extraSeats.lowerBound {
      index -= 1
      if seats[index].isParked {
        extrasAwake -= 1
        layToRest(index)
      }
    }
    noteSurplusExtras()
  }

  /// With the lock held.
  private func parkExtra(_ index: Int) {
    seats[index].isResting = false
    seats[index].isParked = true
    extrasAwake += 1
    shared.pointee.word.wrappingAdd(Self.oneParked, ordering: .sequentiallyConsistent)
    if wantsSentinel && !shared.pointee.hasSentinel.load(ordering: .relaxed) {
      handOverDuty()
    } else if areOthersInside {
      seats[index].duty = .relieved
      Parker.signal(parker(index))  // it sleeps on, but with a timeout
    }
  }

  /// With the lock held.
  func noteSurplusExtras() {
    shared.pointee.surplusExtras.store(
      max(0, extrasAwake - blockedWorkers), ordering: .relaxed)
    noteDraining()
  }

  private var areOthersInside: Bool {
    var count = ownSeat() == nil ? 0 : -1
    var here = firstSource
    while let source = here {
      count += source.pointee.workersInside
      here = source.pointee.next
    }
    return count > 0
  }
}
