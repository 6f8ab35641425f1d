// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// A splitter: what it takes in belongs to one segment of the pipeline, what it gives out to the next.
///
/// A pipeline with splitters is a chain of *segments*. Each is a `PipelineRun` of its own, with numbers
/// from 0, rows, turns, cuts, and places of its own for as many blocks as the limit says: so a segment
/// that is full of blocks takes no place from the one behind it, and can always go on as soon as that
/// one does. The last stage of a segment before a splitter is empty and in order; the splitter is stage
/// 0 of the segment behind it, and is called by whoever holds the turn of that last stage.
///
/// ## States
///
/// All that the splitter changes (`SourceState` of the segment it fills) belongs to the holder of that
/// turn, and with it the next segment's baton. It shows the input to the splitter again and again, with
/// a place of the next segment in hand for each call. The input is in one of three states:
///
/// - *at work*: a worker of its own segment has it, in `split`.
/// - *waiting*: the next segment had no place, or its blocks weigh enough. The worker has written
///   `waiting` and then laid the baton down (`held` → `noPlace`, `noBytes` or `noRow`); from then on the record is
///   nobody's.
/// - *ready*: with a place in hand it lies in the ready set of its own segment, and any worker there
///   goes on with it as with a block that was given its turn.
///
/// When the splitter is done with it, it retires like any block: its place, payload and row go, the turn
/// goes on to the next input. What the splitter gave out was published in the next segment, at once.
///
/// ## Who resumes whom, and why nothing is lost
///
/// A waiting splitter is to the next segment what a source without a place is to a run, so `Credits` and
/// `Baton` say why it is resumed: of the thread that lays the baton down and the one that gives a place
/// (or raises the limit) one sees both, and exactly one takes the baton back by its
/// compare-exchange. For bytes `Weights` says the same. That thread owns `waiting` (the release half of the exchange that laid the baton
/// down pairs with the acquire half of the compare-exchange), puts the place in hand, and publishes the
/// record in the segment before by the protocol of `Pool`: the ready set, the count, then the look for
/// sleepers. It may be a worker of the next segment, a thread of the host that gives a result back,
/// or the worker that was about to leave the record.
///
/// After a cancel nothing is shown to a splitter any more, so a waiting one needs no place: who cancels takes
/// the baton back in the same way (see `Baton`), the input retires without another call, and the place
/// that is then said to be in hand, of which there is none, goes back when the segment ends.
///
/// A segment that waits for the next one needs nothing else: its own blocks stay parked
/// behind the turn. The last segment waits for nobody but the host, so by induction from
/// the last one every segment goes on, whatever the limits and however few workers there are: a worker
/// leaves a segment without work, and what is published in another one wakes one or is seen by it.
///
/// ## Errors and stops
///
/// Every segment judges in order what happened to its blocks, as `StopPolicy` says; only the last one
/// decides. An input that comes to the splitter with a valid error takes a number of the next
/// segment: a *notice*, a tombstone that carries the error on through everything, so that errors come
/// to the end in the order of the serial reference. After that a run that does not collect calls the
/// splitter no more. The place for the notice is taken like that for a block. A stop makes no notice,
/// for it must not move the numbers of what follows: only the first stop counts, and it is handed on
/// when its segment ends. A splitter's own error and stop belong to the block it was to fill (of which a
/// notice remains), so that they are cut off by what comes before.
///
/// ## The end of a segment
///
/// When the input has ended and all blocks have left, which is found as in every run, whoever finds it
/// takes the baton from `ended` to `passed`, once, and publishes an *end record* that has the turn: no
/// block was ever behind the last one, so its row is free. It goes through `split` as an input that is
/// nil, waits for places like any, and so gives what the splitter has kept back. Then the segment is
/// detached and the input of the next one has ended, with its total: that one may be drained at this
/// moment, and if not, whoever retires its last block sees the total (see `givePlaces`). The finish
/// callbacks of all segments are called behind the last one; nothing of a segment is freed before
/// workers have left all of them.
extension PipelineRun {
  // MARK: In the segment before the splitter

  /// Shows an input, or the end record, to the splitter. The caller holds the turn.
  /// - Returns: false if the record is no longer the caller's: it waits, or it was the end.
  @inline(never)
  func split(_ input: UnsafeMutablePointer<Record>, _ seat: Int) -> Bool {
    guard let next, beginSplit(input, seat) else { return true }
    defer { next.pointee.seats[seat].current.store(0, ordering: .relaxed) }
    var goesOn = true
    while goesOn && next.pointee.wantsMore(from: input) {
      if !next.pointee.takePlace(for: input) { return false }
      let step = next.pointee.makeOutput(from: input, seat)
      goesOn = step.goesOn
      if let output = step.output {
        next.pointee.source.pointee.places &-= 1
        next.pointee.noteInFlight(next.pointee.placesTaken)
        next.pointee.publish(output)
      }
    }
    if input.pointee.flags.contains(.isEnd) {
      endSegment()
      return false
    }
    endSplit(input)
    return true
  }

  /// - Returns: whether there is something to do with the input.
  func beginSplit(_ input: UnsafeMutablePointer<Record>, _ seat: Int) -> Bool {
    guard let next else { return false }
    let flags = input.pointee.flags
    if flags.contains(.isAtSplitter) { return true }
    let counts = seatStage(seat, last)
    if flags.contains(.hasStop) || flags.contains(.hasError) { judgeInput(input) }
    if flags.contains(.isTombstone) {
      counts.pointee.counts.passed.count()
      return input.pointee.flags.contains(.bringsNotice)
    }
    if isCut(input.pointee.block.number, last) {
      counts.pointee.counts.cut.count()
      bury(input, cutReason)
      return false
    }
    counts.pointee.counts.bytesIn.count(UInt64(truncatingIfNeeded: input.pointee.block.size))
    input.pointee.flags.insert(.isAtSplitter)
    next.pointee.takeInput(input)
    return true
  }

  @inline(never)
  private func judgeInput(_ input: UnsafeMutablePointer<Record>) {
    let isCancelled = flow.pointee.isCancelled.load(ordering: .relaxed)
    if !isCancelled && judge(input).errorIsValid {
      input.pointee.flags.formUnion([.bringsNotice, .isAtSplitter])
    }
  }

  func endSplit(_ input: UnsafeMutablePointer<Record>) {
    input.pointee.flags.subtract([.isAtSplitter, .bringsNotice])
  }

  /// All blocks have left and none will come: the splitter shall give what it has kept.
  @inline(never)
  func publishEnd() {
    let isFirst = flow.pointee.baton.compareExchange(
      expected: Baton.ended, desired: Baton.passed, ordering: .sequentiallyConsistent
    ).exchanged
    if isFirst { publish(makeEnd()) }
  }

  func makeEnd() -> UnsafeMutablePointer<Record> {
    let number = flow.pointee.total.load(ordering: .relaxed)
    let end = record(number)
    prepare(end, number)
    end.pointee.stage = Int32(truncatingIfNeeded: last)
    end.pointee.flags = [.isEnd, .isAtSplitter, .hasTurn]
    next?.pointee.takeEnd()
    return end
  }

  @inline(never)
  private func endSegment() {
    guard let next else { return }
    takeInputStop()
    passStop(to: next)
    flow.pointee.phase.store(Phase.ended.rawValue, ordering: .sequentiallyConsistent)
    pool.detach(workSource)
    next.pointee.flow.pointee.baton.store(Baton.ended, ordering: .relaxed)
    let unused = next.pointee.source.pointee.places
    next.pointee.source.pointee.places = 0
    let isDrained = next.pointee.endInput(
      total: next.pointee.source.pointee.issued, unusedPlaces: unused)
    if isDrained { pool.workAppeared() }
  }

  /// The first stop in this segment or before, for the next one's judgement.
  func passStop(to next: UnsafeMutablePointer<PipelineRun>) {
    if flow.pointee.isCancelled.load(ordering: .relaxed) { return }
    next.pointee.source.pointee.inputStop = tail.pointee.policy.firstStop
  }

  /// After the last block: what stopped the segments before.
  func takeInputStop() {
    if depth == 0 || flow.pointee.isCancelled.load(ordering: .relaxed) { return }
    if let stop = source.pointee.inputStop { tail.pointee.policy.inputStopped(stop) }
  }

  // MARK: In the segment that the splitter fills

  /// A new input is shown to the splitter.
  func takeInput(_ input: UnsafeMutablePointer<Record>) {
    trace(input, in: paths + capacity * depth)
    source.pointee.nextInput = input.pointee.block.number &+ 1
    source.pointee.sourceNumber = input.pointee.block.sourceNumber
  }

  /// What comes now belongs to the input behind the last one.
  func takeEnd() { paths[capacity * depth + depth - 1] = source.pointee.nextInput }

  private func trace(
    _ input: UnsafeMutablePointer<Record>, in row: UnsafeMutablePointer<UInt64>
  ) {
    guard let previous else { return }
    let ancestors = previous.pointee.ancestors(input)
    for segment in 0..<depth - 1 { row[segment] = ancestors[segment] }
    row[depth - 1] = input.pointee.block.number
  }

  func ancestors(_ record: UnsafeMutablePointer<Record>) -> UnsafeMutablePointer<UInt64> {
    paths + recordIndex(record) * depth
  }

  /// See `StopPolicy`.
  func path(_ record: UnsafeMutablePointer<Record>) -> [UInt64] {
    var path: [UInt64] = []
    for segment in 0..<depth { path.append(ancestors(record)[segment]) }
    path.append(record.pointee.block.number)
    return path
  }

  /// Whether the input is to be shown (again): nothing that is given out now is cut off.
  @inline(__always)
  func wantsMore(from input: UnsafeMutablePointer<Record>) -> Bool {
    if !isCut(source.pointee.issued, 0) { return true }
    return input.pointee.flags.contains(.bringsNotice)
      && !flow.pointee.isCancelled.load(ordering: .relaxed)
  }

  /// Takes a place for what the splitter may give out.
  /// - Returns: false if there was none: the input waits, and is no longer the caller's.
  @inline(__always)
  private func takePlace(for input: UnsafeMutablePointer<Record>) -> Bool {
    var obstacle = Baton.noPlace
    if source.pointee.places > 0 || flow.pointee.credits.take() {
      source.pointee.places = 1
      obstacle = Baton.held
      if flow.pointee.weights.isFull { obstacle = Baton.noBytes }
      if deliversUnordered && !hasRow(source.pointee.issued) { obstacle = Baton.noRow }
      if obstacle == Baton.held { return true }
    }
    source.pointee.waiting = input
    layDown(obstacle)
    return false
  }

  /// The splitter waited for a place, bytes or a row, the obstacle has gone, and the caller has the baton.
  @inline(never)
  func resumeSplitter() {
    guard let previous, let input = source.pointee.waiting else { return }
    noteUnthrottled()
    source.pointee.waiting = nil
    source.pointee.places = 1
    input.pointee.flags.insert(.hasTurn)
    input.pointee.stage = Int32(truncatingIfNeeded: previous.pointee.last)
    previous.pointee.publish(input)
  }

  /// Calls the splitter once, or makes a notice of a failed input.
  /// - Returns: what to pass on, and whether the input is not used up.
  @inline(never)
  func makeOutput(
    from input: UnsafeMutablePointer<Record>, _ seat: Int
  ) -> (output: UnsafeMutablePointer<Record>?, goesOn: Bool) {
    let number = source.pointee.issued
    let output = record(number)
    prepare(output, number)
    if input.pointee.flags.contains(.bringsNotice) {
      makeNotice(output, of: input)
      return (output, false)
    }
    output.pointee.block.comes(from: source.pointee.sourceNumber)
    let path = paths + capacity * depth
    for segment in 0..<depth { ancestors(output)[segment] = path[segment] }

    let own = seatStage(seat, 0)
    let isEnd = input.pointee.flags.contains(.isEnd)
    own.pointee.call.input =
      isEnd ? nil : UnsafeRawPointer(input).assumingMemoryBound(to: Block.self)
    var code = call(output, output.pointee.block.number, 0, stages, own, seat)
    own.pointee.call.input = nil
    let goesOn = code == StageReturn.more
    if goesOn { code = StageReturn.ok }
    if code == StageReturn.drop {
      release(output, .dropped)
      return (nil, false)
    }
    if code != StageReturn.ok {
      act(on: code, output, 0, seat)
      if output.pointee.flags.contains(.isTombstone) {
        output.pointee.flags.insert(.isNotice)
        source.pointee.notices.count()
      }
      if output.pointee.flags.contains(.hasError) && !isEnd, let previous {
        input.pointee.flags.insert(.hasError)
        previous.pointee.bury(input, .failed)
      }
    }
    issue(number)
    return (output, goesOn)
  }

  @inline(never)
  private func makeNotice(
    _ output: UnsafeMutablePointer<Record>, of input: UnsafeMutablePointer<Record>
  ) {
    guard let previous else { return }
    trace(input, in: ancestors(output))
    output.pointee.block.comes(from: input.pointee.block.sourceNumber)
    output.pointee.flags = [.isTombstone, .hasError, .isNotice]
    output.pointee.errorStage = input.pointee.errorStage
    output.pointee.errorCode = input.pointee.errorCode
    if input.pointee.flags.contains(.hasErrorText) {
      let text =
        previous.pointee.errorTexts + previous.pointee.recordIndex(input) * Self.errorTextSize
      (errorTexts + recordIndex(output) * Self.errorTextSize).update(
        from: text, count: Self.errorTextSize)
      output.pointee.flags.insert(.hasErrorText)
    }
    let number = output.pointee.block.number
    if !options.collectsErrors { cut(from: 0, at: Int64(bitPattern: number) - 1, .stageFailed) }
    source.pointee.notices.count()
    issue(number)
  }

  private func issue(_ number: UInt64) {
    source.pointee.issued = number &+ 1
    source.pointee.issuedSnapshot.store(number &+ 1, ordering: .relaxed)
  }

  /// Lowers cuts of the segments before this one: see `cut(from:by:withoutItFrom:_:)`.
  @inline(never)
  func cutInputs(
    from first: Int, by record: UnsafeMutablePointer<Record>, withoutItFrom failed: Int,
    _ reason: Status
  ) {
    let ancestors = ancestors(record)
    var base = stageBase
    var segment = previous
    while let here = segment, first <= base {
      let number = Int64(bitPattern: ancestors[here.pointee.depth])
      here.pointee.cut(
        from: first, at: here.pointee.depth >= failed ? number - 1 : number, reason)
      base = here.pointee.stageBase
      segment = here.pointee.previous
    }
  }

  // MARK: All segments

  var lastSegment: UnsafeMutablePointer<PipelineRun> {
    var here = address
    while let next = here.pointee.next { here = next }
    return here
  }

  /// From the first to the last.
  func forEachSegment(_ body: (UnsafeMutablePointer<PipelineRun>) -> Void) {
    var here: UnsafeMutablePointer<PipelineRun>? = first
    while let segment = here {
      here = segment.pointee.next
      body(segment)
    }
  }

  /// The segment that a stage of the pipeline belongs to; a splitter is in that which it fills.
  func segment(ofStage stage: Int) -> UnsafeMutablePointer<PipelineRun> {
    var here = first
    while let next = here.pointee.next, next.pointee.stageBase <= stage { here = next }
    return here
  }
}
