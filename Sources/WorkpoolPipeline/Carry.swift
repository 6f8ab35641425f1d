// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// The life of a worker inside a run, and the way of a block through the stages.
extension PipelineRun {
  static let mostDrained = 64
  private static let looksBeforeSleep = 200

  /// Works as worker `seat` until there is nothing to do for it here. A helper, which has `terms`, is
  /// never a searcher.
  /// - Returns: whether the worker leaves as a searcher.
  func work(seat: Int, isSearching: Bool, terms: HelpTerms? = nil) -> Bool {
    let own = seats + seat
    var isSearching = isSearching
    var sliceEnd: Int64 = 0
    pace.pointee.active.wrappingAdd(1, ordering: .sequentiallyConsistent)
    // What lies here and was announced quietly may need a sentinel, see foundWork.
    if terms != nil && !isSpread { pool.workAppearedQuietly() }
    while true {
      if let terms, terms.pointee.areOver(for: group) {
        handOver(seat)
        return false
      }
      let isShared = pool.sourceCount > 1
      if isShared && terms == nil && pool.isSurplus(seat: seat) {
        goToRest(seat, isSearching: isSearching)
        return true
      }
      if flow.pointee.readyCount.load(ordering: .relaxed) > 0,
        isSearching || terms != nil || !isShared || !hasOverstayed(&sliceEnd, seat),
        let index = ready.take(from: oldestRecord)
      {
        flow.pointee.readyCount.wrappingSubtract(1, ordering: .relaxed)
        own.pointee.handedOver.count()
        if isSearching { isSearching = foundWork() }
        if own.pointee.keptTurns != 0 { passKept(seat) }
        own.pointee.pulse.count()
        carry(records + index, seat)
      } else if let number = takeOwn(own) {
        if isSearching { isSearching = foundWork() }
        if own.pointee.keptTurns != 0 && own.pointee.keptFor != number &+ 1 { passKept(seat) }
        own.pointee.pulse.count()
        if own.pointee.keptTurns == allTurns && terms == nil && !isSpread {
          carryOnward(number, seat)
        } else {
          carry(record(number), seat)
        }
      } else if own.pointee.keptTurns != 0 {
        passKept(seat)
      } else if flow.pointee.phase.load(ordering: .relaxed) != Phase.running.rawValue {
        own.pointee.current.store(0, ordering: .relaxed)
        if takePhase(.drained, to: .finishing) {
          if isSearching { isSearching = foundWork() }
          finish(seat)
        }
        pace.pointee.active.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        return isSearching
      } else {
        own.pointee.current.store(0, ordering: .relaxed)
        if isShared && terms == nil && !isSearching && hasOverstayed(&sliceEnd, seat) {
          pool.beginSearch()
          pace.pointee.active.wrappingSubtract(1, ordering: .sequentiallyConsistent)
          return true
        }
        let mayStay = isSpread || pace.pointee.active.load(ordering: .relaxed) == 1
        if mayStay, let isPrepaid = takeBaton() {
          if isSearching { isSearching = foundWork() }
          own.pointee.pulse.count()
          pull(seat, isPrepaid: isPrepaid)
        } else if mayStay, let number = steal(seat) {
          if isSearching { isSearching = foundWork() }
          own.pointee.pulse.count()
          own.pointee.handedOver.count()
          carry(record(number), seat)
        } else if terms != nil {
          if leaveHelping() { return false }
        } else if leave(&isSearching) {
          return true
        }
      }
    }
  }

  /// There shall be no worker on this seat any more: others go on with what it has.
  /// Afterwards it is a searcher, who looks no more, but sees to it that somebody does: `Pool.rest`.
  @inline(never)
  private func goToRest(_ seat: Int, isSearching: Bool) {
    if !isSearching { pool.beginSearch() }
    handOver(seat)
    if !isSpread { pool.workAppearedQuietly() }
  }

  /// Where others want workers too: whether this one has been here for a while.
  @inline(__always)
  private func hasOverstayed(_ sliceEnd: inout Int64, _ seat: Int) -> Bool {
    if sliceEnd == 0 { sliceEnd = pool.sliceEnd(ofSeat: seat) }
    return Clock.now > sliceEnd
  }

  /// As above, for a worker that carries one block after the other.
  @inline(never)
  func isWantedElsewhere(_ seat: Int) -> Bool {
    pool.isSurplus(seat: seat) || Clock.now > pool.sliceEnd(ofSeat: seat)
  }

  /// Nothing to do: looks on for a moment, then goes, unless work has come.
  /// - Returns: whether the worker has left (as a searcher).
  @inline(never)
  private func leave(_ isSearching: inout Bool) -> Bool {
    if !isSearching {
      pool.beginSearch()
      isSearching = true
    }
    // Before and behind a splitter there is more likely something to do than here.
    if pool.maySpin && pool.isOnlySearcher && depth == 0 && next == nil
      && (isSpread || pace.pointee.active.load(ordering: .relaxed) == 1)
    {
      for _ in 0..<Self.looksBeforeSleep {
        for _ in 0..<4 { wpl_pause() }
        if hasOpenWork || (isSpread && hasQueuedWork) { return false }
        if flow.pointee.phase.load(ordering: .relaxed) != Phase.running.rawValue { break }
      }
    }
    schedulePoint()
    // Of several that leave at once the last one sees that nobody is left, and what was published.
    pace.pointee.active.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    if hasWork {
      pace.pointee.active.wrappingAdd(1, ordering: .sequentiallyConsistent)
      if !isSpread { pool.workAppearedQuietly() }
      return false
    }
    return true
  }

  /// As `leave`, for a helper, which is never a searcher and does not look on.
  @inline(never)
  private func leaveHelping() -> Bool {
    pace.pointee.active.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    guard hasWork else { return true }
    pace.pointee.active.wrappingAdd(1, ordering: .sequentiallyConsistent)
    if !isSpread { pool.workAppearedQuietly() }
    return false
  }

  /// A searcher has found work; if it was the last searcher, it sees to what else there is.
  @inline(never)
  private func foundWork() -> Bool {
    schedulePoint()
    if pool.endSearch() {
      if pool.sourceCount > 1 {
        pool.wakeForOtherWork()
      } else if isSpread && (hasOpenWork || hasQueuedWork) {
        pool.workAppeared()
      }
    }
    if !isSpread { pool.workAppearedQuietly() }
    return false
  }

  // MARK: Own queues

  @inline(__always)
  func takeOwn(_ seat: UnsafeMutablePointer<SeatState>) -> UInt64? {
    var head = seat.pointee.head.load(ordering: .relaxed)
    while head < seat.pointee.tail.load(ordering: .acquiring) {  // pairs with pull
      schedulePoint()
      let (done, now) = seat.pointee.head.compareExchange(
        expected: head, desired: head &+ 1, ordering: .acquiringAndReleasing)
      if done { return head }
      head = now
    }
    return nil
  }

  @inline(never)
  private func steal(_ seat: Int) -> UInt64? {
    guard isSpread else { return nil }
    var index = seat
    for _ in 1..<workerCount {
      index = index + 1 == workerCount ? 0 : index + 1
      if let number = takeOwn(seats + index) { return number }
    }
    return nil
  }

  // MARK: The way of a block

  /// Carries a block, which this thread alone owns, from the stage it stands before as far as it can
  /// go; then, in the last stage, whatever follows it there.
  func carry(_ first: UnsafeMutablePointer<Record>, _ seat: Int) {
    var record = first
    var stage = Int(record.pointee.stage)
    var drained = 0
    let ownStages = seatStage(seat, 0)
    while true {
      let state = stages + stage
      let own = ownStages + stage
      let number = record.pointee.block.number
      if state.pointee.isFree {
        pass(record, number, stage, state, own, seat)
        stage += 1
        continue
      }
      if state.pointee.isSerial {
        if deliversUnordered && stage == last { deliver(record, number) }
        if !arrive(record, own, stage, state.pointee.turnIndex, seat) { return }
      } else if state.pointee.hasPlaces {
        guard let next = enter(record, stage, seat) else { return }
        if next != record {  // another block of this stage, for this one has to wait
          record = next
          continue
        }
      } else if let gathering = state.pointee.gathering {
        guard let passed = gather(record, gathering, stage, seat) else { return }
        record = passed
        stage += 1
        continue
      }

      if state.pointee.function != nil {
        pass(record, number, stage, state, own, seat)
      } else if next != nil {
        if !split(record, seat) { return }
      } else if record.pointee.flags.isDisjoint(with: [.isTombstone, .wasDelivered])
        && isCut(number, stage)
      {
        bury(record, cutReason)
      }

      if stage == last {
        let queue = seats + seat
        let following = number &+ 1
        queue.pointee.keptPlaces &+= retire(record, number)
        if isNext(following, queue) {
          own.pointee.keptTurn = following &+ 1
          queue.pointee.keptTurns &+= 1
          queue.pointee.keptFor = following &+ 1
          return
        }
        givePlaces(queue.pointee.keptPlaces)
        queue.pointee.keptPlaces = 0
        guard let follower = passTurn(to: following, stage, state.pointee.turnIndex, seat) else {
          return
        }
        drained += 1
        record = follower
        if drained == Self.mostDrained || pool.sourceCount > 1 && isWantedElsewhere(seat) {
          publish(follower)
          return
        }
        queue.pointee.pulse.count()
        continue
      }
      if state.pointee.isSerial {
        if !isSpread && isNext(number &+ 1, seats + seat) {
          own.pointee.keptTurn = number &+ 2
          (seats + seat).pointee.keptTurns &+= 1
        } else if let follower = passTurn(to: number &+ 1, stage, state.pointee.turnIndex, seat) {
          publish(follower)
        }
      } else if state.pointee.hasPlaces {
        leavePlace(record, stage, seat)
      }
      stage += 1
    }
  }

  /// Calls a stage for a block that may enter it, unless the block is gone or cut off.
  @inline(__always)
  private func pass(
    _ record: UnsafeMutablePointer<Record>, _ number: UInt64, _ stage: Int,
    _ state: UnsafeMutablePointer<StageState>, _ own: UnsafeMutablePointer<SeatStage>, _ seat: Int
  ) {
    if record.pointee.flags.contains(.isTombstone) {
      own.pointee.counts.passed.count()
    } else if isCut(number, stage) {
      own.pointee.counts.cut.count()
      bury(record, cutReason)
    } else {
      let code = call(record, number, stage, state, own, seat)
      if code != StageReturn.ok { act(on: code, record, stage, seat) }
    }
  }

  /// - Returns: whether it is the block's turn; if not, it is parked and no longer the caller's.
  @inline(__always)
  private func arrive(
    _ record: UnsafeMutablePointer<Record>, _ own: UnsafeMutablePointer<SeatStage>, _ stage: Int,
    _ turnIndex: Int, _ seat: Int
  ) -> Bool {
    let number = record.pointee.block.number
    let cell = turns.cell(turnIndex, number)
    if record.pointee.flags.contains(.hasTurn) {
      record.pointee.flags.remove(.hasTurn)
    } else if own.pointee.keptTurn == number &+ 1 {
      own.pointee.keptTurn = 0
      (seats + seat).pointee.keptTurns &-= 1
      return true
    } else {
      schedulePoint()
      // See `TurnCells`: the turn is taken by one exchange if it is there.
      let (isTaken, _) = cell.pointee.compareExchange(
        expected: TurnCells.turn, desired: TurnCells.empty, successOrdering: .acquiring,
        failureOrdering: .relaxed)
      return isTaken || !park(record, cell, own, stage)
    }
    cell.pointee.store(TurnCells.empty, ordering: .relaxed)
    return true
  }

  /// The turn of a block that has come to a serial stage is not there.
  /// - Returns: whether the block is parked; if not, its turn has just come.
  @inline(never)
  private func park(
    _ record: UnsafeMutablePointer<Record>, _ cell: UnsafeMutablePointer<Atomic<UInt32>>,
    _ own: UnsafeMutablePointer<SeatStage>, _ stage: Int
  ) -> Bool {
    record.pointee.stage = Int32(truncatingIfNeeded: stage)
    let waits = waits + stage
    var depth = 0
    if takesTimes {
      record.pointee.parkedAt.store(Clock.now, ordering: .relaxed)
      // Before the exchange: who finds the block there counts it out.
      depth = waits.pointee.enter()
    }
    let arrived = TurnCells.firstRecord + UInt32(truncatingIfNeeded: recordIndex(record))
    schedulePoint()
    let old = cell.pointee.exchange(arrived, ordering: .acquiringAndReleasing)
    if old == TurnCells.turn {
      if takesTimes { waits.pointee.leave() }
      cell.pointee.store(TurnCells.empty, ordering: .relaxed)
      return false
    }
    own.pointee.counts.parked.count()
    waits.pointee.note(depth: depth)
    return true
  }

  /// - Returns: the block that waited for this turn and is the caller's now.
  @inline(__always)
  func passTurn(
    to number: UInt64, _ stage: Int, _ turnIndex: Int, _ seat: Int
  ) -> UnsafeMutablePointer<Record>? {
    schedulePoint()
    let old = turns.cell(turnIndex, number).pointee.exchange(
      TurnCells.turn, ordering: .acquiringAndReleasing)
    guard old >= TurnCells.firstRecord else { return nil }
    let record = records + Int(old - TurnCells.firstRecord)
    record.pointee.flags.insert(.hasTurn)
    if takesTimes { noteTurn(record, stage, seat) }
    return record
  }

  /// A parked block has its turn.
  @inline(never)
  private func noteTurn(_ record: UnsafeMutablePointer<Record>, _ stage: Int, _ seat: Int) {
    waits[stage].leave()
    seatStage(seat, stage).pointee.counts.orderWait.count(sinceParked(record))
  }

  func sinceParked(_ record: UnsafeMutablePointer<Record>) -> UInt64 {
    UInt64(clamping: Clock.now &- record.pointee.parkedAt.load(ordering: .relaxed))
  }

  /// Makes a block available to every worker.
  func publish(_ record: UnsafeMutablePointer<Record>) {
    schedulePoint()
    ready.insert(recordIndex(record))
    schedulePoint()
    flow.pointee.readyCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
    announce()
  }

  // MARK: Limited stages

  /// - Returns: a block of this stage with a place, the same one unless it has to wait; nil: none.
  @inline(never)
  private func enter(
    _ record: UnsafeMutablePointer<Record>, _ stage: Int, _ seat: Int
  ) -> UnsafeMutablePointer<Record>? {
    guard let places = stages[stage].places else { return record }
    if record.pointee.flags.contains(.hasPlace)
      || record.pointee.flags.contains(.isTombstone) || places.tryEnter()
    {
      if !record.pointee.flags.contains(.isTombstone) { record.pointee.flags.insert(.hasPlace) }
      if takesTimes { waits[stage].note(concurrency: places.taken) }
      return record
    }
    let own = seatStage(seat, stage)
    own.pointee.counts.parked.count()
    record.pointee.stage = Int32(truncatingIfNeeded: stage)
    var depth = 0
    if takesTimes {
      record.pointee.parkedAt.store(Clock.now, ordering: .relaxed)
      depth = waits[stage].enter()
    }
    let index = places.park(recordIndex(record), oldest: oldestRecord)
    waits[stage].note(depth: depth)
    guard let index else { return nil }
    return placed(records + index, own, stage)
  }

  /// A parked record has a place now and is the caller's.
  private func placed(
    _ record: UnsafeMutablePointer<Record>, _ own: UnsafeMutablePointer<SeatStage>, _ stage: Int
  ) -> UnsafeMutablePointer<Record> {
    record.pointee.flags.insert(.hasPlace)
    if takesTimes {
      waits[stage].leave()
      own.pointee.counts.placeWait.count(sinceParked(record))
    }
    return record
  }

  @inline(never)
  private func leavePlace(_ record: UnsafeMutablePointer<Record>, _ stage: Int, _ seat: Int) {
    guard record.pointee.flags.contains(.hasPlace), let places = stages[stage].places else {
      return
    }
    record.pointee.flags.remove(.hasPlace)
    if let index = places.leave(oldest: oldestRecord) {
      publish(placed(records + index, seatStage(seat, stage), stage))
    }
  }

  // MARK: Calls

  @inline(__always)
  func isCut(_ number: UInt64, _ stage: Int) -> Bool {
    if isMarked { cancel() }
    // Pairs with lowerCuts.
    return Int64(bitPattern: number) > cuts[stage].load(ordering: .acquiring)
  }

  var cutReason: ReleaseReason {
    flow.pointee.isCancelled.load(ordering: .relaxed) ? .cancelled : .cut
  }

  /// Calls a stage, and times a sample of the calls.
  @inline(__always)
  func call(
    _ record: UnsafeMutablePointer<Record>, _ number: UInt64, _ stage: Int,
    _ state: UnsafeMutablePointer<StageState>, _ own: UnsafeMutablePointer<SeatStage>, _ seat: Int
  ) -> Int32 {
    guard let function = own.pointee.function else { return StageReturn.ok }
    let size = record.pointee.block.size
    var code: Int32
    if own.pointee.counts.countsDown() {
      note(CallNote(number, stage: stage, isTimed: false), seat)
      code = function(own.pointee.context, record, own.pointee.scratch, own)
    } else {
      code = callTimed(record, stage, state, own, seat)
    }
    let sizes = Int64(size | record.pointee.block.size)
    let weights = record.pointee.charged | Int64(bitPattern: record.pointee.block.weight)
    if sizes | weights | record.pointee.tidying != 0 {
      code = checkPayload(record, own, sizeBefore: size, code)
    }
    return code
  }

  /// For a dump: what the worker is about to call. Stays until the next call, or until it has nothing to
  /// do here.
  @inline(__always)
  private func note(_ note: CallNote, _ seat: Int) {
    (seats + seat).pointee.current.store(note.word, ordering: .relaxed)
  }

  /// Counts the bytes that a callback got and left, and sees that the block is sound.
  @inline(never)
  func checkPayload(
    _ record: UnsafeMutablePointer<Record>, _ own: UnsafeMutablePointer<SeatStage>,
    sizeBefore: Int, _ code: Int32
  ) -> Int32 {
    own.pointee.counts.bytesIn.count(UInt64(truncatingIfNeeded: sizeBefore))
    let block = record.pointee.block
    var code = code
    if block.size >= 0 && block.size <= block.capacity && (block.data != nil || block.size == 0) {
      if code == StageReturn.ok || code == StageReturn.stop
        || code == StageReturn.more && depth > 0
      {
        own.pointee.counts.bytesOut.count(UInt64(truncatingIfNeeded: block.size))
        if block.charge != record.pointee.charged { recharge(record, block.charge) }
      }
    } else {
      record.pointee.block.size = 0
      code = fail(record, Status.badReturn.rawValue, "the callback left a broken block")
    }
    if record.pointee.tidying != 0 { tidy(record, code) }
    return code
  }

  /// The call whose time is taken, with what follows from it. Costs two looks at the clock, and some
  /// of these calls two at the thread's own clock, which is a system call. All calls that may block are
  /// such calls.
  @inline(never)
  private func callTimed(
    _ record: UnsafeMutablePointer<Record>, _ stage: Int,
    _ state: UnsafeMutablePointer<StageState>, _ own: UnsafeMutablePointer<SeatStage>, _ seat: Int
  ) -> Int32 {
    guard let function = state.pointee.function else { return StageReturn.ok }
    // The first call of a worker is a timed one.
    if state.pointee.hasScratch && !own.pointee.isStarted {
      note(CallNote(record.pointee.block.number, stage: stage, isTimed: false), seat)
      let code = startWorker(own, state, seat, record)
      guard code == StageReturn.ok else {
        own.pointee.counts.countUntimed()
        return code
      }
    }
    let meter = meters[seat]
    let mayBlock = state.pointee.mayBlock
    if mayBlock { pool.beginBlockingCall(seat: seat) }
    let takesCPU = takesTimes && own.pointee.counts.untilCPU.load(ordering: .relaxed) == 0
    if takesTimes && state.pointee.isFree && stage != 0 {
      enterTogether(own, stage, looksRound: takesCPU)
    }
    let cpuBegin = takesCPU ? wpl_thread_cpu_time() : 0
    let begin = Clock.now
    let before = takesTimes ? meter.pointee.enter(.busy, at: begin) : .engine
    (seats + seat).pointee.since.store(begin, ordering: .relaxed)
    note(CallNote(record.pointee.block.number, stage: stage, isTimed: true), seat)
    let code = function(state.pointee.context, record, own.pointee.scratch, own)
    let end = Clock.now
    if takesTimes { meter.pointee.enter(before, at: end) }
    if mayBlock { pool.endBlockingCall(seat: seat) }
    let cpu: UInt64? = takesCPU ? UInt64(clamping: wpl_thread_cpu_time() - cpuBegin) : nil
    if takesTimes { own.pointee.counts.isInside.store(false, ordering: .relaxed) }
    let time = UInt64(clamping: end - begin)
    let blocks = UInt64(own.pointee.call.answeredCount(code))
    let (calls, untimed) = own.pointee.counts.note(
      time, of: blocks, endingAt: end, cpu: cpu, takesTimes: takesTimes,
      timesEveryCall: timesEveryCall || mayBlock || state.pointee.gathering != nil)
    if takesTimes { meter.pointee.count(calls: calls, untimed: untimed) }
    if hasTimeline { noteCall(record, stage, code, from: begin, to: end, seat) }
    noteCost(stage: stage, nanoseconds: blocks == 1 ? time : time / blocks)
    return code
  }

  /// The worker leaves: what it has not said yet of its calls, it says now.
  @inline(never)
  func settleTimes(_ seat: Int) {
    guard takesTimes else { return }
    let now = Clock.now
    for stage in 0..<stageCount {
      let (calls, untimed) = seatStage(seat, stage).pointee.counts.settle(at: now)
      if calls > 0 { meters[seat].pointee.count(calls: calls, untimed: untimed) }
    }
    next?.pointee.settleTimes(seat)  // it may have called the splitter, which belongs there
  }

  /// Before a timed call of a parallel stage: counts now and then how many are in such calls.
  ///
  /// Of several that enter and look round at once the last one to say so sees all of them.
  private func enterTogether(
    _ own: UnsafeMutablePointer<SeatStage>, _ stage: Int, looksRound: Bool
  ) {
    let most = waits[stage].concurrencyMax.load(ordering: .relaxed)
    guard looksRound && most < workerCount else {
      own.pointee.counts.isInside.store(true, ordering: .relaxed)
      return
    }
    own.pointee.counts.isInside.store(true, ordering: .sequentiallyConsistent)
    var inside = 0
    for seat in 0..<workerCount
    where seatStage(seat, stage).pointee.counts.isInside.load(ordering: .sequentiallyConsistent) {
      inside += 1
    }
    waits[stage].note(concurrency: inside)
  }

  @inline(never)
  private func startWorker(
    _ own: UnsafeMutablePointer<SeatStage>, _ state: UnsafeMutablePointer<StageState>, _ seat: Int,
    _ record: UnsafeMutablePointer<Record>
  ) -> Int32 {
    guard let start = state.pointee.stage?.workerStart else { return StageReturn.ok }
    if own.pointee.startCode < 0 {
      return fail(record, own.pointee.startCode, "worker_start failed before")
    }
    var scratch: UnsafeMutableRawPointer?
    let code = start(state.pointee.context, UInt32(seat), &scratch)
    if code < 0 {
      own.pointee.startCode = code
      return fail(record, code, "worker_start failed")
    }
    own.pointee.scratch = scratch
    own.pointee.isStarted = true
    return StageReturn.ok
  }

  // MARK: What callbacks answer

  /// A callback returned something else than OK for a living block.
  @inline(never)
  func act(
    on code: Int32, _ record: UnsafeMutablePointer<Record>, _ stage: Int, _ seat: Int
  ) {
    let counts = seatStage(seat, stage)
    var code = code
    if code > StageReturn.stopDrop {
      code = fail(
        record, Status.badReturn.rawValue, "the callback returned the unknown value \(code)")
    }
    if code < 0 {
      if hasTimeline { noteInstant(.error, record, stage, code, seat) }
      record.pointee.flags.insert(.hasError)
      record.pointee.errorStage = Int16(truncatingIfNeeded: stageBase &+ stage)
      record.pointee.errorCode = code
      counts.pointee.counts.failed.count()
      bury(record, .failed)
      if !options.collectsErrors {
        let first = StopPolicy.firstCut(byErrorIn: stageBase &+ stage, seeAllMask: seeAllMask)
        cut(from: first, by: record, withoutItFrom: depth, .stageFailed)
      }
      return
    }
    if code == StageReturn.stop || code == StageReturn.stopDrop {
      if hasTimeline { noteInstant(.stop, record, stage, code, seat) }
      if !record.pointee.flags.contains(.hasStop) {
        record.pointee.flags.insert(.hasStop)
        record.pointee.stopStage = Int16(truncatingIfNeeded: stageBase &+ stage)
      }
      let first = StopPolicy.firstCut(byStopIn: stageBase &+ stage, seeAllMask: seeAllMask)
      cut(from: first, by: record, withoutItFrom: .max, .stopped)
    }
    if code == StageReturn.drop || code == StageReturn.stopDrop {
      counts.pointee.counts.dropped.count()
      record.pointee.flags.insert(.wasDropped)
      bury(record, .dropped)
    }
  }

  /// Cuts off the pipeline's stage `first` and all later ones of this and the earlier segments, before the
  /// deciding block goes on: its next exchange (turn, places, retirement) makes the cuts visible to the
  /// blocks behind it.
  ///
  /// - Parameter failed: the segment in which the block failed: from there on its number is not
  ///   accepted any more. Earlier segments accept the block that it came from.
  @inline(never)
  func cut(
    from first: Int, by record: UnsafeMutablePointer<Record>, withoutItFrom failed: Int,
    _ reason: Status
  ) {
    let number = Int64(bitPattern: record.pointee.block.number)
    cut(from: first, at: depth >= failed ? number - 1 : number, reason)
    if first <= stageBase && depth > 0 {
      cutInputs(from: first, by: record, withoutItFrom: failed, reason)
    }
  }

  /// In this segment alone.
  func cut(from first: Int, at number: Int64, _ reason: Status) {
    lowerCuts(from: max(0, first - stageBase), to: number)
    if first <= stageBase { if hasSource { noteSourceOver() } else { inputWasCut(reason) } }
  }

  /// From the last stage of this segment to the first: who finds a block cut off in one stage, or meets its tombstone
  /// later on, finds the later stages cut off too. Otherwise the next block could be let in there, and
  /// a serial stage would see a gap.
  func lowerCuts(from first: Int, to number: Int64) {
    var stage = last
    while stage >= first {
      schedulePoint()
      // Pairs with isCut, and with layDown.
      _ = cuts[stage].min(number, ordering: .sequentiallyConsistent)
      stage -= 1
    }
  }

  /// Keeps an error text for the block; at most 255 bytes.
  @inline(never)
  func fail(_ record: UnsafeMutablePointer<Record>, _ code: Int32, _ text: String) -> Int32 {
    var text = text
    return text.withUTF8 { fail(record, code, UnsafeRawBufferPointer($0)) }
  }

  func fail(
    _ record: UnsafeMutablePointer<Record>, _ code: Int32, _ text: UnsafeRawBufferPointer
  ) -> Int32 {
    let room = errorTexts + recordIndex(record) * Self.errorTextSize
    let count = min(text.count, Self.errorTextSize - 1)
    if count > 0, let base = text.baseAddress {
      UnsafeMutableRawPointer(room).copyMemory(from: base, byteCount: count)
    }
    room[count] = 0
    record.pointee.flags.insert(.hasErrorText)
    record.pointee.tidying = 1
    return code < 0 ? code : Status.badReturn.rawValue
  }
  static let errorTextSize = 256

  // MARK: Payloads

  /// Releases the payload; the block goes on as a tombstone.
  func bury(_ record: UnsafeMutablePointer<Record>, _ reason: ReleaseReason) {
    release(record, reason)
    record.pointee.flags.insert(.isTombstone)
  }

  @inline(__always)
  func release(_ record: UnsafeMutablePointer<Record>, _ reason: ReleaseReason) {
    if record.pointee.payload.buffer != Payload.nowhere {
      release(&record.pointee.payload, reason)
    }
    if record.pointee.charged != 0 { discharge(record) }
    record.pointee.block.setPayload(nil, size: 0, capacity: 0)
  }

  @inline(never)
  func release(_ payload: inout Payload, _ reason: ReleaseReason) {
    let gone = payload
    payload = Payload()
    if gone.buffer >= 0 {
      buffers.give(gone.buffer)
    } else if gone.buffer == Payload.callerOwned {
      gone.release?(gone.releaseContext, gone.data, gone.size, reason.rawValue)
    }
  }

  /// After a callback: a spare buffer goes back, and a text that goes with no error goes.
  @inline(never)
  private func tidy(_ record: UnsafeMutablePointer<Record>, _ code: Int32) {
    record.pointee.tidying = 0
    if record.pointee.spare != Payload.nowhere {
      buffers.give(record.pointee.spare)
      record.pointee.spare = Payload.nowhere
    }
    if code >= 0 { record.pointee.flags.remove(.hasErrorText) }
  }
}
