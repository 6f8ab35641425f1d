// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// The baton: the right to call the source.
///
/// Who takes it (`free` → `held`) takes a place and calls the source; then the baton is free again.
/// After the last block it is `ended`.
///
/// Where no place is free the holder counts as waiting in the credits and lays the baton down
/// (`held` → `noPlace`), by an exchange; then it looks at the credits once more. Whoever gives a
/// place back, or raises the limit, changes the credits and then looks at the baton. So one of them sees
/// both: the baton lying there, and a place for it. It makes the baton `prepaid`, the place
/// included, by a compare-exchange: of several that see this one succeeds. In the same way a holder
/// that has a place, but finds the bytes in flight at their limit, leaves the baton as `noBytes`,
/// with that place, until `Weights` has room. With unordered delivery blocks give their places back before
/// they retire; then the next number may find its row in use, and the holder leaves the baton as
/// `noRow` until the block in it retires.
///
/// A source that will not be called any more needs none of that: who cuts it off (a cancel, a stop, an
/// error) or stops the input writes that down and then looks at the baton, and a holder that has laid it
/// down looks at the cut, too. One of them sees both and makes the baton `prepaid` without a
/// place. Who takes it then finds the cut before it would use the place, ends the input, and gives the
/// place back like one that was left over. So a run ends though the host holds every place.
///
/// A baton that lies there carries a counter above its state, so that the compare-exchange of a thread
/// that has looked long ago cannot move one that was laid down since: between the look at the baton
/// and the exchange nothing has changed it, so what the credits said between them was true of it.
///
/// A segment behind a splitter has a baton too. It is always `held`, by the turn of the splitter, but
/// for the times when it lies at `noPlace`, `noBytes` or `noRow`; it is never `prepaid`, for who resumes the splitter keeps it
/// `held`. Before a splitter an `ended` baton is taken a last time: `passed`. See `Splitter`.
enum Baton {
  static let free: UInt32 = 0
  static let prepaid: UInt32 = 1
  static let held: UInt32 = 2
  static let ended: UInt32 = 3
  static let noPlace: UInt32 = 4
  static let noBytes: UInt32 = 5
  static let noRow: UInt32 = 6
  static let passed: UInt32 = 7

  private static let stateBits: UInt32 = 3
  static func state(_ baton: UInt32) -> UInt32 { baton & (1 << stateBits - 1) }
  static func laidDown(_ state: UInt32, _ times: UInt32) -> UInt32 { times << stateBits | state }
}

extension PipelineRun {
  /// - Returns: nil if the source cannot be called now, else whether a place is paid for already.
  @inline(__always)
  func takeBaton() -> Bool? {
    let state = flow.pointee.baton.load(ordering: .relaxed)
    guard state == Baton.free || state == Baton.prepaid else { return nil }
    schedulePoint()
    let (done, _) = flow.pointee.baton.compareExchange(
      expected: state, desired: Baton.held, ordering: .acquiring)
    return done ? state == Baton.prepaid : nil
  }

  /// With the baton: takes the next blocks into the worker's own queue, as many as are worth while
  /// and have a place.
  func pull(_ seat: Int, isPrepaid: Bool) {
    if isPrepaid {
      noteUnthrottled()
    } else if !flow.pointee.credits.take() {
      return layDown(Baton.noPlace)  // whoever gives a place back resumes the source
    }
    let places =
      1 + flow.pointee.credits.take(atMost: pace.pointee.batch.load(ordering: .relaxed) - 1)
    let inFlight = placesTaken
    let own = seats + seat
    var issued = source.pointee.issued
    own.pointee.head.store(issued, ordering: .relaxed)
    own.pointee.tail.store(issued, ordering: .releasing)

    let counts = seatStage(seat, 0)
    var taken = 0
    var goesOn = true
    var obstacle = Baton.held
    while taken < places && goesOn {
      if isCut(issued, 0) { break }
      if flow.pointee.isStopping.load(ordering: .relaxed) {
        flow.pointee.wasStopped.store(true, ordering: .relaxed)
        break
      }
      if flow.pointee.weights.isFull {
        obstacle = Baton.noBytes
        break
      }
      if deliversUnordered && !hasRow(issued) {
        obstacle = Baton.noRow
        break
      }
      let record = record(issued)
      prepare(record, issued)
      let code = call(record, issued, 0, stages, counts, seat)
      if code == StageReturn.sourceEnd {
        release(record, .cut)
        break
      }
      if code != StageReturn.ok {
        act(on: code, record, 0, seat)
        // A source that failed is not asked again.
        goesOn = code >= 0 && code <= StageReturn.stopDrop
      }
      issued &+= 1
      taken += 1
      source.pointee.issued = issued
      noteInput()
      source.pointee.issuedSnapshot.store(issued, ordering: .relaxed)
      own.pointee.tail.store(issued, ordering: .releasing)  // pairs with takeOwn
      // The source may keep this worker for long: others must find what it has brought.
      if taken < places { pool.workAppearedQuietly() }
    }
    if taken > 0 { noteInFlight(inFlight &- places &+ taken) }
    if taken == places && goesOn {
      if isSpread {
        schedulePoint()
        // An exchange: see Pool, P1.
        _ = flow.pointee.baton.exchange(Baton.free, ordering: .sequentiallyConsistent)
        pool.workAppeared()
      } else {
        flow.pointee.baton.store(Baton.free, ordering: .releasing)
        pool.workAppearedQuietly()
      }
    } else if obstacle != Baton.held {
      let unused = places - taken - 1  // the next block has its place already
      if unused > 0 { flow.pointee.credits.give(unused) }
      if taken > 0 { announce() }
      layDown(obstacle)
    } else {
      flow.pointee.baton.store(Baton.ended, ordering: .relaxed)
      _ = endInput(total: issued, unusedPlaces: places - taken)
      if taken > 0 { announce() }
    }
  }

  /// With the baton: leaves it to whoever removes the obstacle, unless that has just happened.
  /// What the caller has done before is done: another worker may have the baton at once.
  @inline(never)
  func layDown(_ state: UInt32) {
    noteThrottled()
    source.pointee.parkings &+= 1
    let baton = Baton.laidDown(state, source.pointee.parkings)
    schedulePoint()
    // Pairs with whoever gives a place, or cuts the source off: the looks at the credits and at the cut come
    // after this.
    _ = flow.pointee.baton.exchange(baton, ordering: .sequentiallyConsistent)
    resumeSourceHere()
  }

  /// After a place or bytes have come free, or the source was cut off: it goes on if it waits for that.
  /// - Returns: whether the baton lies ready now, by this call; behind a splitter the caller holds it.
  @inline(__always)
  func resumeSource() -> Bool {
    // Both looks after the change of what is looked at, or the exchange of layDown, in the one order of all.
    let baton = flow.pointee.baton.load(ordering: .sequentiallyConsistent)
    switch Baton.state(baton) {
    case Baton.noPlace:
      guard flow.pointee.credits.current.admits(waiting: 1) || isSourceOver else { return false }
    case Baton.noBytes: guard flow.pointee.weights.hasRoom || isSourceOver else { return false }
    case Baton.noRow:
      flow.pointee.credits.give(0)  // pairs with givePlaces
      guard hasRow(source.pointee.issuedSnapshot.load(ordering: .relaxed)) || isSourceOver else {
        return false
      }
    default: return false
    }
    schedulePoint()
    // Releases what the holder left; pairs with takeBaton.
    return flow.pointee.baton.compareExchange(
      expected: baton, desired: depth > 0 ? Baton.held : Baton.prepaid,
      ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// Whether the source will not be called for another block, whatever places there are. A splitter may
  /// have to give errors on when its output is cut off, but not after a cancel.
  @inline(never)
  var isSourceOver: Bool {
    if depth == 0 && flow.pointee.isStopping.load(ordering: .sequentiallyConsistent) { return true }
    let issued = source.pointee.issuedSnapshot.load(ordering: .relaxed)
    return Int64(bitPattern: issued) > cuts[0].load(ordering: .sequentiallyConsistent)
      && (depth == 0 || flow.pointee.isCancelled.load(ordering: .sequentiallyConsistent))
  }

  /// After the source was cut off or stopped.
  func noteSourceOver() { if hasSource { resumeWaiters() } }

  /// Whether the number's row is free: the block that had it has retired.
  @inline(__always)
  func hasRow(_ number: UInt64) -> Bool {
    // Acquires what the block has left in the row; pairs with retire.
    number < flow.pointee.retired.load(ordering: .acquiring) &+ mask &+ 1
  }

  /// Places that are taken, by a thread that has just taken one.
  @inline(__always) var placesTaken: Int {
    let credits = flow.pointee.credits.snapshot
    return min(credits.limit, credits.claimed)  // then nobody else waits, or all are taken
  }

  @inline(__always)
  func noteInFlight(_ count: Int) {
    if count > flow.pointee.mostInFlight.load(ordering: .relaxed) {
      _ = flow.pointee.mostInFlight.max(count, ordering: .relaxed)
    }
  }

  /// Makes a record ready for a new number, before stage 1.
  @inline(__always)
  func prepare(_ record: UnsafeMutablePointer<Record>, _ number: UInt64) {
    record.pointee.block.number(number)
    record.pointee.stage = 1
    record.pointee.flags = []
  }

  /// There will be `total` blocks; places taken for more of them go back.
  /// - Returns: whether all blocks have left already, so that the run must be finished.
  func endInput(total: UInt64, unusedPlaces: Int) -> Bool {
    flow.pointee.total.store(total, ordering: .sequentiallyConsistent)
    endEmpty()
    schedulePoint()
    flow.pointee.credits.give(unusedPlaces)
    return flow.pointee.retired.load(ordering: .acquiring) == total && drained()
  }
}
