// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What belongs to the turn of the last stage: blocks leave here in order, and the outcome is decided.
struct TailState: ~Copyable {
  var policy: StopPolicy
  var errors: [PipelineError] = []
  var errorsNotKept: UInt64 = 0
  var dropped: UInt64 = 0
  var cut: UInt64 = 0
  var failed: UInt64 = 0

  init(policy: StopPolicy) { self.policy = policy }
}

/// One entry of a run's error list.
public struct PipelineError: Sendable {
  /// The block, as its stage counts; a splitter's is its input.
  public let number: UInt64
  /// The block of the pipeline's input that it came from; another one only behind a splitter.
  public let sourceNumber: UInt64
  /// 0 is the source.
  public let stage: Int
  public let code: Int32
  /// What the callback said about it; may be empty.
  public let text: String
}

extension PipelineRun {
  /// The block leaves, after all smaller numbers; the caller holds the turn of the last stage. Its
  /// row may be used again as soon as its place is given back.
  ///
  /// - Returns: how many places it has to give back: 0 if the host keeps the block. With unordered
  ///   delivery 1, which stands for the row alone.
  @inline(__always)
  func retire(_ record: UnsafeMutablePointer<Record>, _ number: UInt64) -> Int {
    var places = 1
    if deliversUnordered {
      if !record.pointee.flags.isSubset(of: [.wasDelivered, .hasLeft]) {
        _ = settle(record, number)
      }
    } else if record.pointee.flags.isEmpty && !options.pullsResults {
      flow.pointee.delivered.count()
      if countsDelivery { countBytes(record) }
      release(record, .delivered)
    } else if settle(record, number) {
      places = 0
    }
    schedulePoint()
    flow.pointee.retired.store(number &+ 1, ordering: .releasing)
    return places
  }

  /// Gives the places of retired blocks back, and looks whether somebody waits for that.
  ///
  /// Pairs with whoever ends the input or waits for a number to leave: it changes what it changes, adds
  /// 0 to the credits, and then reads `retired`. Of the two additions the second one sees what came
  /// before the first.
  @inline(__always)
  func givePlaces(_ places: Int) {
    schedulePoint()
    let given = deliversUnordered ? 0 : places
    let before = flow.pointee.credits.give(given)
    if deliversUnordered {
      resumeAtWindow()
    } else if before.free < 0 && places > 0 && hasSource {
      resumeSourceHere()
    }
    if before.free &+ given >= before.limit &- emptyMargin { noteEmpty() }
    if flow.pointee.total.load(ordering: .sequentiallyConsistent)
      == flow.pointee.retired.load(ordering: .relaxed)
    {
      _ = drained()
    }
    if flow.pointee.waiters.load(ordering: .sequentiallyConsistent) > 0 { wakeHost() }
  }

  /// With unordered delivery, before the end stage: the sink has had the block, or the host gets it, or it
  /// is a tombstone. It gives its place back (a result keeps it) and waits in its row alone until
  /// all smaller numbers have come so far. Once for each block, though its carrier may come by again.
  @inline(never)
  func deliver(_ record: UnsafeMutablePointer<Record>, _ number: UInt64) {
    if record.pointee.flags.contains(.hasLeft) { return }
    record.pointee.flags.insert(.hasLeft)
    if !record.pointee.flags.contains(.isTombstone) {
      let hasPassedSink = shownStageCount != stageCount
      if !hasPassedSink && isCut(number, last) {
        bury(record, cutReason)
      } else if !options.pullsResults {
        record.pointee.flags.insert(.wasDelivered)
        release(record, .delivered)
        flow.pointee.delivered.wrappingAdd(1, ordering: .relaxed)
      } else if handOver(record) {
        record.pointee.flags.insert(.wasDelivered)
        flow.pointee.delivered.wrappingAdd(1, ordering: .relaxed)
        return
      } else {
        bury(record, .cancelled)
      }
    }
    let before = flow.pointee.credits.give(1)
    if before.free < 0 || !hasSource { resumeWaiters() }
  }

  /// With unordered delivery, after a block has retired: the source may have waited for its row.
  @inline(never)
  private func resumeAtWindow() {
    guard hasSource else { return }
    let baton = flow.pointee.baton.load(ordering: .sequentiallyConsistent)
    if Baton.state(baton) == Baton.noRow { resumeSourceHere() }
  }

  /// A block that something happened to, or whose payload the host gets.
  /// - Returns: whether it keeps its place.
  @inline(never)
  func settle(_ record: UnsafeMutablePointer<Record>, _ number: UInt64) -> Bool {
    let flags = record.pointee.flags
    if flags.contains(.hasStop) || flags.contains(.hasError), next == nil { decide(record) }
    if flags.contains(.isNotice) { return false }
    if flags.contains(.hasError) {
      tail.pointee.failed += 1
    } else if flags.contains(.wasDropped) {
      tail.pointee.dropped += 1
    } else if flags.contains(.isTombstone) {
      tail.pointee.cut += 1
    } else if flags.contains(.wasDelivered) {
      return false
    } else if options.pullsResults {
      let size = record.pointee.block.size
      if handOver(record) {
        flow.pointee.delivered.count()
        flow.pointee.deliveredBytes.count(UInt64(truncatingIfNeeded: size))
        return true
      }
      release(record, .cancelled)
      tail.pointee.cut += 1
    } else {
      flow.pointee.delivered.count()
      if countsDelivery { countBytes(record) }
      release(record, .delivered)
    }
    return false
  }

  /// With the turn of the last stage.
  @inline(__always)
  private func countBytes(_ record: UnsafeMutablePointer<Record>) {
    flow.pointee.deliveredBytes.count(UInt64(truncatingIfNeeded: record.pointee.block.size))
  }

  private func decide(_ record: UnsafeMutablePointer<Record>) {
    // What comes after a cancel decides nothing.
    if flow.pointee.isCancelled.load(ordering: .relaxed) { return }
    let retired = judge(record)
    let stage = Int(record.pointee.errorStage)
    if retired.errorIsValid {
      keep(
        PipelineError(
          number: tail.pointee.policy.number(at: stage, on: path(record)),
          sourceNumber: record.pointee.block.sourceNumber, stage: stage,
          code: record.pointee.errorCode,
          text: record.pointee.flags.contains(.hasErrorText)
            ? String(cString: errorTexts + recordIndex(record) * Self.errorTextSize) : ""))
    }
    if retired.cutsAll {
      cut(
        from: 0, by: record, withoutItFrom: tail.pointee.policy.segment(of: stage), .stageFailed)
    }
  }

  /// What happened to a block that leaves its segment, as far as that counts.
  func judge(_ record: UnsafeMutablePointer<Record>) -> StopPolicy.Retired {
    let flags = record.pointee.flags
    return tail.pointee.policy.retire(
      path(record), sourceNumber: record.pointee.block.sourceNumber,
      stopStage: flags.contains(.hasStop) ? Int(record.pointee.stopStage) : nil,
      errorStage: flags.contains(.hasError) ? Int(record.pointee.errorStage) : nil,
      errorCode: record.pointee.errorCode)
  }

  func keep(_ error: PipelineError) {
    if tail.pointee.errors.count < options.maxErrorsKept {
      tail.pointee.errors.append(error)
    } else {
      tail.pointee.errorsNotKept += 1
    }
  }

  /// As `resumeSource`, by a worker that comes by the source soon: another one is woken where that pays.
  @inline(never)
  func resumeSourceHere() {
    guard resumeSource() else { return }
    if depth > 0 {
      resumeSplitter()
    } else if isSpread {
      pool.workAppeared()
    } else {
      pool.workAppearedQuietly()
    }
  }

  /// All blocks have left and none will come. Decided once.
  /// - Returns: whether by this call, so that the run must be finished.
  func drained() -> Bool {
    if next != nil {
      publishEnd()
      return false
    }
    return takePhase(.running, to: .drained)
  }

  func takePhase(_ from: Phase, to: Phase) -> Bool {
    flow.pointee.phase.compareExchange(
      expected: from.rawValue, desired: to.rawValue, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// Calls the finish callbacks and ends the run; on the one worker that took the phase.
  @inline(never)
  func finish(_ seat: Int) {
    takeInputStop()
    callFinish()
    decideOutcome()
    first.pointee.endEvents()
    pool.detach(workSource)
    conclude()
  }

  /// Decides the outcome, for good: neither a cancel nor a deadline changes it any more.
  func decideOutcome() {
    endTimes()
    monitor.lock()
    host.pointee.decision = outcome
    monitor.unlock()
  }

  /// Tells the outcome to those who wait for it.
  func conclude() {
    monitor.lock()
    host.pointee.outcome = host.pointee.decision
    flow.pointee.phase.store(Phase.ended.rawValue, ordering: .sequentiallyConsistent)
    monitor.wakeAll()
    monitor.unlock()
  }

  /// The finish callbacks of all segments; in the last one.
  func callFinish() {
    forEachSegment { $0.pointee.callWorkerFinish() }
    forEachSegment { segment in
      let retired = segment.pointee.flow.pointee.retired.load(ordering: .acquiring)
      for stage in 0..<segment.pointee.stageCount {
        let state = segment.pointee.stages + stage
        guard let finish = state.pointee.stage?.finish else { continue }
        let code = finish(state.pointee.context, outcome.status.rawValue)
        if code < 0 {
          let number = segment.pointee.stageBase + stage
          tail.pointee.policy.finishFailed(stage: number, code: code, after: retired)
          keep(
            PipelineError(
              number: retired, sourceNumber: .max, stage: number, code: code,
              text: "finish failed"))
        }
      }
    }
  }

  private func callWorkerFinish() {
    for stage in 0..<stageCount {
      guard let finish = stages[stage].stage?.workerFinish else { continue }
      for seat in 0..<workerCount {
        let own = seatStage(seat, stage)
        if own.pointee.isStarted {
          finish(stages[stage].context, UInt32(seat), own.pointee.scratch)
        }
      }
    }
  }

  /// What the run has come to so far; in the last segment, after the last block.
  var outcome: PipelineOutcome {
    let policy = tail.pointee.policy
    var outcome = PipelineOutcome(status: policy.status)
    if policy.status == .stageFailed && policy.errorCode == Status.missingBlock.rawValue
      && policy.decision?.stage == 0 && !first.pointee.hasSource
    {
      outcome.status = .missingBlock
    }
    let isCut = !policy.isDecided && flow.pointee.isCancelled.load(ordering: .relaxed)
    if isCut {
      let reason = token.word.pointee.load(ordering: .relaxed)
      outcome.status = reason == CancelReason.deadline.rawValue ? .timedOut : .cancelled
    } else if policy.status == .ok
      && first.pointee.flow.pointee.wasStopped.load(ordering: .relaxed)
    {
      outcome.status = .stopped
    }
    if !isCut {
      outcome.number = policy.decision?.number
      outcome.sourceNumber = policy.decidingSource
      outcome.stage = policy.decision?.stage
      outcome.code = policy.errorCode
    }
    outcome.delivered = flow.pointee.delivered.load(ordering: .relaxed)
    forEachSegment { segment in
      outcome.dropped += segment.pointee.tail.pointee.dropped
      outcome.cut += segment.pointee.tail.pointee.cut
      outcome.failed += segment.pointee.tail.pointee.failed
    }
    outcome.errors = policy.failures
    outcome.errorsNotKept = tail.pointee.errorsNotKept
    return outcome
  }
}

/// How a run ended.
public struct PipelineOutcome: Sendable {
  /// `ok`, `stopped`, `stageFailed`, `missingBlock`, `cancelled` or `timedOut` (the run's own deadline).
  public var status: Status
  /// Deciding block of an error or stop as its stage counts (a splitter's is its input), the block of the
  /// pipeline's input that it came from, and the stage.
  public var number: UInt64?
  public var sourceNumber: UInt64?
  public var stage: Int?
  /// What the failing callback returned; else 0.
  public var code: Int32 = 0
  /// Blocks that came to the end.
  public var delivered: UInt64 = 0
  /// These of all segments, if there are splitters.
  public var dropped: UInt64 = 0
  public var cut: UInt64 = 0
  public var failed: UInt64 = 0
  /// Errors that counted.
  public var errors: UInt64 = 0
  /// How many of them the list has no room for.
  public var errorsNotKept: UInt64 = 0
}
