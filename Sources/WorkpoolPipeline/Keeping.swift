// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// Turns and places that a worker keeps for the next block of its own queue; see `TurnCells`.
///
/// What is kept is written down stage by stage (`SeatStage.keptTurn`), but for one case, that of a
/// compact run: a worker that keeps all turns of the block that it takes up next goes *onward*
/// (`carryOnward`). It only says in which stage it is (`SeatState.onwardStage`): of the stages before
/// that it keeps the turns of the next block, of those after it the turns of this one.
/// Nothing is exchanged and nothing is looked up until something is not as usual: a callback answers
/// with more than OK or waits for somebody, the next block is gone, or others want something. Then the
/// turns are written down, and the general way (`carry`) takes over.
extension PipelineRun {
  /// Whether the worker's own queue goes on with this number, so that turns and places may be kept for
  /// it: not where a callback may take long before the worker comes to it, or a splitter may have to
  /// wait.
  @inline(__always)
  func isNext(_ number: UInt64, _ own: UnsafeMutablePointer<SeatState>) -> Bool {
    keepsTurns && own.pointee.head.load(ordering: .relaxed) == number
      && number < own.pointee.tail.load(ordering: .relaxed)
  }

  /// The worker does not go on with the block whose turns it keeps.
  @inline(never)
  func passKept(_ seat: Int) {
    let own = seats + seat
    if own.pointee.onwardStage != 0 { leaveTheWay(seat, isInside: true) }
    if own.pointee.keptPlaces != 0 {
      givePlaces(own.pointee.keptPlaces)
      own.pointee.keptPlaces = 0
    }
    for stage in 1..<stageCount where stages[stage].isSerial {
      let kept = seatStage(seat, stage).pointee.keptTurn
      if kept == 0 { continue }
      seatStage(seat, stage).pointee.keptTurn = 0
      own.pointee.keptTurns &-= 1
      if let record = passTurn(to: kept &- 1, stage, stages[stage].turnIndex, seat) {
        publish(record)
      }
    }
  }

  /// Carries a block, taken from the own queue, whose turns are all kept, from stage 1 to the end; then
  /// those that follow it there.
  @inline(never)
  func carryOnward(_ first: UInt64, _ seat: Int) {
    let own = seats + seat
    let ownStages = seatStage(seat, 0)
    var number = first
    while true {
      let record = record(number)
      var stage = 1
      var at = ownStages
      var isUsual = record.pointee.flags.isEmpty
      while isUsual && !isCut(number, stage) {
        own.pointee.onwardStage = stage
        at += 1
        let code = call(record, number, stage, stages + stage, at, seat)
        if code != StageReturn.ok {
          act(on: code, record, stage, seat)
          isUsual = false
        }
        if own.pointee.onwardStage == 0 { return goOn(record, behind: stage, seat) }
        stage &+= 1
        if stage == stageCount { break }
      }
      if stage != stageCount {
        own.pointee.onwardStage = stage
        leaveTheWay(seat, isInside: false)
        if !isNext(number &+ 1, own) { passKept(seat) }
        record.pointee.stage = Int32(truncatingIfNeeded: stage)
        return carry(record, seat)
      }
      own.pointee.keptPlaces &+= retire(record, number)
      number &+= 1
      own.pointee.keptFor = number &+ 1
      guard goesOnward, takeOwn(own, number) else {
        own.pointee.onwardStage = 1
        return leaveTheWay(seat, isInside: false)
      }
      own.pointee.pulse.count()
    }
  }

  /// Nobody else wants anything of this worker.
  @inline(__always)
  private var goesOnward: Bool {
    !isSpread && flow.pointee.readyCount.load(ordering: .relaxed) == 0 && pool.sourceCount == 1
  }

  /// - Returns: whether it is the caller's now.
  @inline(__always)
  private func takeOwn(_ own: UnsafeMutablePointer<SeatState>, _ number: UInt64) -> Bool {
    guard number < own.pointee.tail.load(ordering: .relaxed) else { return false }
    schedulePoint()
    return own.pointee.head.compareExchange(
      expected: number, desired: number &+ 1, ordering: .acquiringAndReleasing
    ).exchanged
  }

  /// On the way onward: from now on the turns are written down. Places go back at once, and whoever waits
  /// for what has retired is told, though no place may be among it (results keep theirs).
  /// - Parameter isInside: the stage has its turn in use.
  @inline(never)
  private func leaveTheWay(_ seat: Int, isInside: Bool) {
    let own = seats + seat
    let inside = own.pointee.onwardStage
    own.pointee.onwardStage = 0
    own.pointee.keptTurns = 0
    for stage in 1..<stageCount where stages[stage].isSerial {
      let isKept = stage != inside || !isInside
      let turn = own.pointee.keptFor &+ (stage < inside ? 1 : 0)
      seatStage(seat, stage).pointee.keptTurn = isKept ? turn : 0
      if isKept { own.pointee.keptTurns &+= 1 }
    }
    let places = own.pointee.keptPlaces
    own.pointee.keptPlaces = 0
    givePlaces(places)
  }

  /// A callback has waited for somebody, and everything kept was passed before that.
  @inline(never)
  private func goOn(_ record: UnsafeMutablePointer<Record>, behind stage: Int, _ seat: Int) {
    let number = record.pointee.block.number
    if stage == last { givePlaces(retire(record, number)) }
    if stages[stage].isSerial,
      let follower = passTurn(to: number &+ 1, stage, stages[stage].turnIndex, seat)
    {
      publish(follower)
    }
    if stage == last { return }
    record.pointee.stage = Int32(truncatingIfNeeded: stage &+ 1)
    carry(record, seat)
  }
}
