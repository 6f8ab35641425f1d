// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// A serial stage whose callback gets several blocks at once: whatever has come to it in order, up to
/// `Stage.maxBatch`. For callbacks that are dear to enter, such as those of an interpreter.
///
/// The stage has no turns. A block that comes is put into its cell (see `TurnCells`), always, and then
/// its carrier tries to take the stage. Who has it takes block after block out of the cells from `next`
/// on, as far as there is no gap, calls the stage for them, and gives the stage back.
///
/// ## Why nothing is lost
///
/// A carrier exchanges its record into the cell and then exchanges `isTaken`; the holder exchanges
/// `isTaken` back and then looks at the cell of `next`; all in the one order of sequentially consistent
/// operations. If the carrier finds the stage taken, its record was in the cell before the holder looks,
/// and the holder takes the stage again if `next` is there. If the cell of `next` is empty, the
/// carrier of `next` comes later and finds the stage free, or with a holder who will look.
///
/// ## Whoever waits for more
///
/// A carrier leaves its block in the cell and does not even try if it is certain that a later block comes
/// by this way: one of its own queue (`isNext`), or of the batch that it is just carrying on from the
/// stage before (`SeatState.batchNext`). Every block comes to every serial stage, dropped ones too,
/// and the later one's carrier tries, or relies on a block that is later still; the last one tries. So
/// one worker alone gets batches too, and nothing waits for a call of the source.
///
/// `Tests/Models/gather.c` explores all this in small, every order of steps.
///
/// Who carries a batch on, one block after the other, holds the others back. It does so only in a compact
/// run in which no stage may block, and a worker that waits in a callback gives them away (`passBatch`);
/// otherwise all but the first are published at once.
struct Gathering: ~Copyable {
  let capacity: Int
  /// Whether a worker has the stage.
  let isTaken = Atomic<UInt32>(0)
  let line = PipelineRun.Padding()
  /// The first number that has not been taken out of its cell; who has the stage changes it.
  let next = Atomic<UInt64>(0)
  let line2 = PipelineRun.Padding()

  init(capacity: Int) { self.capacity = capacity }

  func take() -> Bool { isTaken.exchange(1, ordering: .sequentiallyConsistent) == 0 }
  func giveBack() { _ = isTaken.exchange(0, ordering: .sequentiallyConsistent) }
}

extension PipelineRun {
  /// A block comes to a stage that gathers; it is not the caller's any more.
  /// - Returns: a block that has passed the stage, to be carried on.
  @inline(never)
  func gather(
    _ record: UnsafeMutablePointer<Record>, _ gathering: UnsafeMutablePointer<Gathering>,
    _ stage: Int, _ seat: Int
  ) -> UnsafeMutablePointer<Record>? {
    let own = seats + seat
    let number = record.pointee.block.number
    let turnIndex = stages[stage].turnIndex
    record.pointee.stage = Int32(truncatingIfNeeded: stage)
    var depth = 0
    if takesTimes {
      record.pointee.parkedAt.store(Clock.now, ordering: .relaxed)
      depth = waits[stage].enter()
    }
    schedulePoint()
    _ = turns.cell(turnIndex, number).pointee.exchange(
      TurnCells.firstRecord + UInt32(truncatingIfNeeded: recordIndex(record)),
      ordering: .sequentiallyConsistent)
    if own.pointee.batchNext < own.pointee.batchEnd || isNext(number &+ 1, own) {
      if own.pointee.keptTurns != 0 { own.pointee.keptFor = number &+ 2 }
      noteParked(depth, stage, seat)
      return nil
    }

    var passed: UnsafeMutablePointer<Record>?
    var drained = 0
    while true {
      schedulePoint()
      guard gathering.pointee.take() else {
        if drained == 0 { noteParked(depth, stage, seat) }
        return passed
      }
      if drained >= Self.mostDrained
        || drained > 0 && pool.sourceCount > 1 && isWantedElsewhere(seat)
      {
        // Something else may be more urgent: what is next lies ready like any other block.
        let next = arrived(gathering, turnIndex)
        gathering.pointee.giveBack()
        if let next {
          if takesTimes { waits[stage].leave() }
          publish(next)
        }
        return passed
      }
      if let earlier = passed {
        passed = nil
        publish(earlier)
      }
      let (count, places) = takeBatch(gathering, stage, seat)
      let following = gathering.pointee.next.load(ordering: .relaxed)
      schedulePoint()
      gathering.pointee.giveBack()
      if stage == last {
        if count > 0 { givePlaces(places) }
      } else if count > 0 {
        passed = carryOn(count, behind: stage, seat)
      }
      drained &+= count
      own.pointee.pulse.count()
      schedulePoint()
      let cell = turns.cell(turnIndex, following)
      if cell.pointee.load(ordering: .sequentiallyConsistent) < TurnCells.firstRecord {
        return passed
      }
    }
  }

  private func noteParked(_ depth: Int, _ stage: Int, _ seat: Int) {
    seatStage(seat, stage).pointee.counts.parked.count()
    waits[stage].note(depth: depth)
  }

  /// With the stage: takes the next block, or one `count` behind it, out of its cell.
  private func arrived(
    _ gathering: UnsafeMutablePointer<Gathering>, _ turnIndex: Int, after count: Int = 0
  ) -> UnsafeMutablePointer<Record>? {
    let number = gathering.pointee.next.load(ordering: .relaxed) &+ UInt64(count)
    let cell = turns.cell(turnIndex, number)
    let value = cell.pointee.load(ordering: .acquiring)  // pairs with gather
    guard value >= TurnCells.firstRecord else { return nil }
    cell.pointee.store(TurnCells.empty, ordering: .relaxed)
    return records + Int(value - TurnCells.firstRecord)
  }

  /// With the stage: takes blocks out of their cells, into the worker's `batch`, and calls the stage for
  /// those that are not gone or cut off. In the last stage they retire.
  private func takeBatch(
    _ gathering: UnsafeMutablePointer<Gathering>, _ stage: Int, _ seat: Int
  ) -> (count: Int, places: Int) {
    let turnIndex = stages[stage].turnIndex
    let own = seatStage(seat, stage)
    let batch = seats[seat].batch
    var count = 0
    while count < gathering.pointee.capacity,
      let record = arrived(gathering, turnIndex, after: count)
    {
      batch[count] = record
      count &+= 1
      if takesTimes {
        waits[stage].leave()
        own.pointee.counts.orderWait.count(sinceParked(record))
      }
    }
    gathering.pointee.next.wrappingAdd(UInt64(count), ordering: .relaxed)
    var places = 0
    var index = 0
    while index < count {
      let answered = callGathered(batch + index, count &- index, stage, seat)
      var used = 0
      repeat {
        let record = batch[index]
        index &+= 1
        if record.pointee.flags.contains(.isTombstone) {
          own.pointee.counts.passed.count()
        } else if answered == 0 {
          own.pointee.counts.cut.count()
          bury(record, cutReason)
        } else {
          settleAnswer(used, record, stage, seat)
          used &+= 1
        }
        if stage == last { places &+= retire(record, record.pointee.block.number) }
      } while used < answered
    }
    return (count, places)
  }

  /// Calls the stage for the living ones of these blocks, as long as none is cut off, or could be by one
  /// before it that is to retire.
  /// - Returns: how many it has answered for: 0 if the first one is dead or cut off.
  private func callGathered(
    _ batch: UnsafeMutablePointer<UnsafeMutablePointer<Record>>, _ count: Int, _ stage: Int,
    _ seat: Int
  ) -> Int {
    let own = seatStage(seat, stage)
    guard let blocks = own.pointee.call.blocks, let answers = own.pointee.call.answers else {
      return 0
    }
    let sizes = seats[seat].batchSizes
    var living = 0
    var index = 0
    while index < count {
      let record = batch[index]
      index &+= 1
      if record.pointee.flags.contains(.isTombstone) {
        if living == 0 { return 0 }
        if stage == last && !record.pointee.flags.isDisjoint(with: [.hasError, .hasStop]) { break }
      } else if isCut(record.pointee.block.number, stage) {
        break
      } else {
        blocks[living] = UnsafeMutableRawPointer(record).assumingMemoryBound(to: Block.self)
        answers[living] = StageReturn.none
        sizes[living] = record.pointee.block.size
        living &+= 1
      }
    }
    if living == 0 { return 0 }
    own.pointee.call.count = UInt32(truncatingIfNeeded: living)
    let first = batch[0]
    let code = call(first, first.pointee.block.number, stage, stages + stage, own, seat)
    answers[0] = code
    let answered = own.pointee.call.answeredCount(code)
    own.pointee.call.count = 0
    return answered
  }

  /// What the callback said of a block, the `index`-th that it got.
  private func settleAnswer(
    _ index: Int, _ record: UnsafeMutablePointer<Record>, _ stage: Int, _ seat: Int
  ) {
    let own = seatStage(seat, stage)
    var code = own.pointee.call.answers?[index] ?? StageReturn.ok
    if index > 0 {
      code = checkPayload(record, own, sizeBefore: seats[seat].batchSizes[index], code)
    }
    if code != StageReturn.ok { act(on: code, record, stage, seat) }
  }

  /// The batch has passed the stage: the workers get it, or in a compact run this one goes on with it.
  /// - Returns: the block that the caller shall carry on, the first or, in a compact run, none.
  private func carryOn(
    _ count: Int, behind stage: Int, _ seat: Int
  ) -> UnsafeMutablePointer<Record>? {
    let own = seats + seat
    let batch = own.pointee.batch
    for index in 0..<count {
      batch[index].pointee.stage = Int32(truncatingIfNeeded: stage &+ 1)
    }
    if isSpread || !keepsTurns {
      for index in 1..<max(1, count) { publish(batch[index]) }
      return batch[0]
    }
    own.pointee.batchNext = 0
    own.pointee.batchEnd = count
    while own.pointee.batchNext < own.pointee.batchEnd {
      let record = batch[own.pointee.batchNext]
      own.pointee.batchNext &+= 1
      carry(record, seat)
      if isSpread { passBatch(seat) }
    }
    return nil
  }

  /// Somebody else goes on with what is left of the worker's batch.
  func passBatch(_ seat: Int) {
    let own = seats + seat
    while own.pointee.batchNext < own.pointee.batchEnd {
      let record = own.pointee.batch[own.pointee.batchNext]
      own.pointee.batchNext &+= 1
      publish(record)
    }
  }
}
