// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// The baton: the right to call the source.
///
/// Who takes it (`free` → `held`) takes a place and calls the source; then the baton is free again.
/// Where no place is free it stays `held` by nobody: the credits are negative, and whoever gives
/// the next place back makes it `prepaid`, the place included. After the last block it is `ended`.
enum Baton {
  static let free: UInt32 = 0
  static let prepaid: UInt32 = 1
  static let held: UInt32 = 2
  static let ended: UInt32 = 3
}

extension PipelineRun {
  /// - Returns: nil if the source cannot be called now, else whether a place is paid for already.
  @inline(__always)
  func takeBaton() -> Bool? {
    let state = flow.pointee.baton.load(ordering: .relaxed)
    guard state == Baton.free || state == Baton.prepaid else { return nil }
    let (done, _) = flow.pointee.baton.compareExchange(
      expected: state, desired: Baton.held, ordering: .acquiring)
    return done ? state == Baton.prepaid : nil
  }

  /// With the baton: takes the next blocks into the worker's own queue, as many as are worth while
  /// and have a place.
  func pull(_ seat: Int, isPrepaid: Bool) {
    if !isPrepaid {
      let credits = flow.pointee.credits.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        .oldValue
      if credits <= 0 { return }  // whoever gives a place back resumes the source
    }
    let places = 1 + takePlaces(atMost: pace.pointee.batch.load(ordering: .relaxed) - 1)
    let inFlight = placesTaken
    let own = seats + seat
    var issued = source.pointee.issued
    own.pointee.head.store(issued, ordering: .relaxed)
    own.pointee.tail.store(issued, ordering: .releasing)

    var taken = 0
    var goesOn = true
    while taken < places && goesOn {
      if isCut(issued, 0) { break }
      if flow.pointee.isStopping.load(ordering: .relaxed) {
        flow.pointee.wasStopped.store(true, ordering: .relaxed)
        break
      }
      let record = record(issued)
      prepare(record, issued)
      let code = call(record, 0, stages, seatStage(seat, 0), seat)
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
      source.pointee.issuedSnapshot.store(issued, ordering: .relaxed)
      own.pointee.tail.store(issued, ordering: .releasing)  // pairs with takeOwn
      // The source may keep this worker for long: others must find what it has brought.
      if taken < places { pool.workAppearedQuietly() }
    }
    if taken > 0 { noteInFlight(inFlight &- places &+ taken) }
    if taken == places && goesOn {
      if isSpread {
        // An exchange: see Pool, P1.
        _ = flow.pointee.baton.exchange(Baton.free, ordering: .sequentiallyConsistent)
        pool.workAppeared()
      } else {
        flow.pointee.baton.store(Baton.free, ordering: .releasing)
        pool.workAppearedQuietly()
      }
    } else {
      flow.pointee.baton.store(Baton.ended, ordering: .relaxed)
      _ = endInput(total: issued, unusedPlaces: places - taken)
      if taken > 0 { announce() }
    }
  }

  @inline(__always)
  private func takePlaces(atMost wanted: Int) -> Int {
    guard wanted > 0 else { return 0 }
    var credits = flow.pointee.credits.load(ordering: .relaxed)
    while credits > 0 {
      let count = min(credits, Int64(wanted))
      let (done, now) = flow.pointee.credits.compareExchange(
        expected: credits, desired: credits - count, ordering: .acquiringAndReleasing)
      if done { return Int(count) }
      credits = now
    }
    return 0
  }

  /// Places that are taken.
  @inline(__always) var placesTaken: Int {
    min(limit, limit &- Int(truncatingIfNeeded: flow.pointee.credits.load(ordering: .relaxed)))
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
    flow.pointee.credits.wrappingAdd(Int64(unusedPlaces), ordering: .sequentiallyConsistent)
    return flow.pointee.retired.load(ordering: .acquiring) == total && drained()
  }
}
