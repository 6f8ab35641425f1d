// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Steps that run in one stage of a pipeline, and how.
public struct StagePlan: @unchecked Sendable {
  public let kind: StepKind
  /// The steps' names joined by `+`.
  public let name: String
  /// Whether the stage wants every batch, also those behind an early stop.
  public let seesAll: Bool
  public let steps: [Step]
  /// Position of the first step among all steps of the recipe.
  public let firstStep: Int
  /// Whether the stage does not run its only step but merges what that found.
  let isMerge: Bool
  /// Whether its steps can end the input early: not behind one that delivers when that has ended.
  let mayStop: Bool

  /// Adjacent parallel steps go together; a serial one keeps its own stage, and nothing is joined
  /// behind a step that merges: what it found must be as it left it.
  static func plans(for steps: [Step]) -> [StagePlan] {
    var plans: [StagePlan] = []
    var first = 0
    while first < steps.count {
      var end = first + 1
      while end < steps.count, steps[end - 1].kind == .parallel, !steps[end - 1].mergesInStage,
        steps[end].kind == .parallel
      {
        end += 1
      }
      let group = Array(steps[first..<end])
      plans.append(
        StagePlan(
          kind: group[0].kind, name: joined(group.map { $0.name }, "+"), seesAll: false,
          steps: group, firstStep: first, isMerge: false,
          mayStop: !steps[..<first].contains { $0.holdsReads }))
      if let last = group.last, last.mergesInStage {
        plans.append(
          StagePlan(
            kind: .serial, name: last.name + " merge", seesAll: true, steps: [last],
            firstStep: end - 1, isMerge: true, mayStop: false))
      }
      first = end
    }
    return plans
  }

  /// Runs the steps on a batch that came through the stages before, and counts.
  ///
  /// - Returns: `.stop` when a step needs no later batch.
  /// - Throws: the error of the first step that fails, for its first read.
  ///
  /// Threads: any for a parallel stage, one at a time and in input order for a serial one.
  public func run(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    try run(batch, nil)
  }

  /// - Parameter times: get what each step takes.
  func run(_ batch: FASTQBatch, _ times: PartsOfRun?) throws(WorkpoolError) -> StepOutcome {
    if isMerge {
      guard let partial = batch.partials[firstStep] else { return .go }
      let merge = { [steps] () throws(WorkpoolError) in try steps[0].merge(partial) }
      if let times { try times.steps[firstStep].measure((0, 0), merge) } else { try merge() }
      return .go
    }
    var outcome = StepOutcome.go
    var reads = batch.keptCount
    var bases = batch.keptBases
    for (index, step) in steps.enumerated() {
      var counters = StepCounters()
      counters.readsIn = reads
      counters.basesIn = bases
      let made =
        if let times {
          try times.steps[firstStep + index].measure((reads, bases)) {
            () throws(WorkpoolError) in try step.apply(batch)
          }
        } else {
          try step.apply(batch)
        }
      if made == .stop { outcome = .stop }
      if step.changesCounts {
        reads = batch.keptCount
        bases = batch.keptBases
      }
      counters.readsOut = reads
      counters.basesOut = bases
      batch.counters.start[firstStep + index] = counters
    }
    return mayStop ? outcome : .go
  }
}
