// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What a stop or an error cuts off, and what a run comes to. Pure: no lock, thread or clock.
///
/// Every stage j has a cut c(j): blocks with a larger number are not shown to it. A stop at block k
/// in stage s cuts all stages behind the last see-all stage at or before s at k; an error at block e
/// (fail-fast) cuts those behind the last see-all stage *before* s at e - 1. These cuts are applied at
/// once, whatever happens elsewhere, so some turn out to be *void*: the event lies behind a stop or an
/// error with a smaller number that cut its stage. That is decided here, where blocks leave in order:
/// `retire` is called for 0, 1, 2, … and keeps the cuts of the valid events alone. The valid event
/// with the smaller number cuts every stage that the void one cut, so nothing has to be undone.
///
/// ## Behind a splitter
///
/// A pipeline with splitters has segments with numbers of their own. Stages are counted through, and a
/// block has a *path*: its ancestors' numbers in the segments before, then its own. A cut of
/// a stage is a number of the segment that the stage is in; a splitter belongs to the segment that it
/// fills. Every segment has a policy that knows the stages up to its end. What it finds valid goes on to
/// the next one: an error as a notice in the order of the blocks, a stop at the end (`inputStopped`),
/// for of these only the first one decides anything. An event of a later segment cuts the earlier ones at
/// the numbers of the block's ancestors. Only the last segment commits an error, which cuts all stages;
/// until then one of an earlier segment may turn out void, and what it has cut at once is what made
/// it so. A stage before the last see-all stage may fail after it, and that counts.
package struct StopPolicy {
  package static let never = Int64.max

  private let stageCount: Int
  private let seeAllMask: UInt64
  private let isCollecting: Bool
  private let maxFailures: UInt64
  /// The first stages of the segments up to this one.
  private let segmentStarts: [Int]
  /// No splitter follows.
  private let isLast: Bool

  /// Cuts of valid events, for stages 0…stageCount - 1.
  private var validCuts: [Int64]
  package private(set) var status = Status.ok
  /// Deciding block and stage of the error or stop; nil while there is none.
  package private(set) var decision: (number: UInt64, stage: Int)?
  package private(set) var decidingSource: UInt64?
  package private(set) var errorCode: Int32 = 0
  /// Nothing that comes later changes the status. An error that is only collected leaves it open: the
  /// blocks behind it are still to come.
  package private(set) var isDecided = false
  package private(set) var failures: UInt64 = 0
  /// The valid stop that the serial reference meets first.
  package private(set) var firstStop: Stop?

  package struct Stop {
    let path: [UInt64]
    let sourceNumber: UInt64
    let stage: Int
  }

  package init(
    stageCount: Int, seeAllMask: UInt64, isCollecting: Bool, maxFailures: UInt64,
    segmentStarts: [Int] = [0], isLast: Bool = true
  ) {
    self.isLast = isLast
    self.segmentStarts = segmentStarts
    self.stageCount = stageCount
    self.seeAllMask = seeAllMask
    self.isCollecting = isCollecting
    self.maxFailures = maxFailures
    validCuts = Array(repeating: Self.never, count: stageCount)
  }

  /// First stage that a stop in stage s cuts; all later ones are cut too.
  package static func firstCut(byStopIn stage: Int, seeAllMask: UInt64) -> Int {
    lastStage(in: seeAllMask, upTo: stage) + 1
  }
  /// First stage that an error in stage s cuts at once.
  package static func firstCut(byErrorIn stage: Int, seeAllMask: UInt64) -> Int {
    lastStage(in: seeAllMask, upTo: stage - 1) + 1
  }
  private static func lastStage(in mask: UInt64, upTo stage: Int) -> Int {
    guard stage >= 0 else { return -1 }
    let upTo = stage >= 63 ? mask : mask & ((1 << (UInt64(stage) + 1)) - 1)
    return 63 - upTo.leadingZeroBitCount
  }

  package struct Retired {
    /// The error counts: it belongs in the error list.
    package var errorIsValid = false
    /// Cut all stages now, the source included.
    package var cutsAll = false
  }

  /// The segment that a stage belongs to.
  package func segment(of stage: Int) -> Int {
    var segment = segmentStarts.count - 1
    while segmentStarts[segment] > stage { segment -= 1 }
    return segment
  }

  /// The number of the block that a stage was called for; a splitter is called for its input.
  package func number(at stage: Int, on path: [UInt64]) -> UInt64 {
    let segment = segment(of: stage)
    return segment > 0 && segmentStarts[segment] == stage ? path[segment - 1] : path[segment]
  }

  /// The block `number` leaves, after all smaller numbers, with what happened to it.
  package mutating func retire(
    _ number: UInt64, stopStage: Int?, errorStage: Int?, errorCode: Int32
  ) -> Retired {
    retire(
      [number], sourceNumber: number, stopStage: stopStage, errorStage: errorStage,
      errorCode: errorCode)
  }

  /// As above, of a block behind splitters.
  package mutating func retire(
    _ path: [UInt64], sourceNumber: UInt64, stopStage: Int?, errorStage: Int?,
    errorCode code: Int32
  ) -> Retired {
    var retired = Retired()
    if let stopStage, isValid(at: path, stopStage) {
      let first = Self.firstCut(byStopIn: stopStage, seeAllMask: seeAllMask)
      cut(from: first, at: path, withoutItFrom: .max)
      note(Stop(path: path, sourceNumber: sourceNumber, stage: stopStage))
      isDecided = true
    }
    if let errorStage, isValid(at: path, errorStage) {
      retired.errorIsValid = true
      failures += 1
      if status != .stageFailed {
        status = .stageFailed
        decision = (number(at: errorStage, on: path), errorStage)
        decidingSource = sourceNumber
        errorCode = code
      }
      if isLast && (!isCollecting || failures == maxFailures) {
        isDecided = true
        cut(from: 0, at: path, withoutItFrom: segment(of: errorStage))
        retired.cutsAll = true
      } else if !isCollecting {
        let first = Self.firstCut(byErrorIn: errorStage, seeAllMask: seeAllMask)
        cut(from: first, at: path, withoutItFrom: segment(of: errorStage))
      }
    }
    return retired
  }

  private func isValid(at path: [UInt64], _ stage: Int) -> Bool {
    Int64(clamping: path[segment(of: stage)]) <= validCuts[stage]
  }

  /// - Parameter failed: the segment in which the block failed: its number there is not accepted any
  ///   more, nor are those of what came of it.
  private mutating func cut(from first: Int, at path: [UInt64], withoutItFrom failed: Int) {
    for stage in first..<stageCount {
      let segment = segment(of: stage)
      let number = Int64(clamping: path[segment]) - (segment >= failed ? 1 : 0)
      validCuts[stage] = min(validCuts[stage], number)
    }
  }

  private mutating func note(_ stop: Stop) {
    if let firstStop, !stop.path.lexicographicallyPrecedes(firstStop.path) { return }
    firstStop = stop
    guard status != .stageFailed else { return }
    status = .stopped
    decision = (number(at: stop.stage, on: stop.path), stop.stage)
    decidingSource = stop.sourceNumber
  }

  /// All blocks have left: this is the first valid stop of the segment before.
  package mutating func inputStopped(_ stop: Stop) {
    guard isValid(at: stop.path, stop.stage) else { return }
    note(stop)
    isDecided = true
  }

  /// An error of a finish callback: it comes after the last block.
  package mutating func finishFailed(stage: Int, code: Int32, after number: UInt64) {
    failures += 1
    guard status != .stageFailed else { return }
    isDecided = true
    status = .stageFailed
    decision = (number, stage)
    decidingSource = nil
    errorCode = code
  }

  /// The host asked for the end of the input and got it.
  package mutating func stoppedByHost() {
    if status == .ok { status = .stopped }
  }
}
