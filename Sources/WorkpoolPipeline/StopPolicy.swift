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
package struct StopPolicy {
  package static let never = Int64.max

  private let stageCount: Int
  private let seeAllMask: UInt64
  private let isCollecting: Bool
  private let maxFailures: UInt64

  /// Cuts of valid events, for stages 0…stageCount - 1.
  private var validCuts: [Int64]
  package private(set) var status = Status.ok
  /// Deciding block and stage of the error or stop; nil while there is none.
  package private(set) var decision: (number: UInt64, stage: Int)?
  package private(set) var errorCode: Int32 = 0
  package private(set) var failures: UInt64 = 0

  package init(stageCount: Int, seeAllMask: UInt64, isCollecting: Bool, maxFailures: UInt64) {
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
    /// Cut all stages at this number now, the source included.
    package var cutAll: Int64?
  }

  /// The block `number` leaves, after all smaller numbers, with what happened to it.
  package mutating func retire(
    _ number: UInt64, stopStage: Int?, errorStage: Int?, errorCode code: Int32
  ) -> Retired {
    var retired = Retired()
    let position = Int64(clamping: number)
    if let stopStage, position <= validCuts[stopStage] {
      cut(from: Self.firstCut(byStopIn: stopStage, seeAllMask: seeAllMask), at: position)
      if status == .ok {
        status = .stopped
        decision = (number, stopStage)
      }
    }
    if let errorStage, position <= validCuts[errorStage] {
      retired.errorIsValid = true
      failures += 1
      if status != .stageFailed {
        status = .stageFailed
        decision = (number, errorStage)
        errorCode = code
      }
      if !isCollecting || failures == maxFailures {
        cut(from: 0, at: position - 1)
        retired.cutAll = position - 1
      }
    }
    return retired
  }

  private mutating func cut(from first: Int, at number: Int64) {
    for stage in first..<stageCount { validCuts[stage] = min(validCuts[stage], number) }
  }

  /// An error of a finish callback: it comes after the last block.
  package mutating func finishFailed(stage: Int, code: Int32, after number: UInt64) {
    failures += 1
    guard status != .stageFailed else { return }
    status = .stageFailed
    decision = (number, stage)
    errorCode = code
  }

  /// The host asked for the end of the input and got it.
  package mutating func stoppedByHost() {
    if status == .ok { status = .stopped }
  }
}
