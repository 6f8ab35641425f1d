// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Drops the first n reads that reach it.
final class Skip: Step {
  static var description: StepDescription {
    StepDescription(
      "Skip", "drop the first n reads", kind: .serial,
      keys: [StepKey("n", .int(0...Int.max))],
      make: { arguments throws(WorkpoolError) in try Skip(arguments) })
  }

  private let n: Int
  private var seen = 0

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    n = arguments.int("n")
    try super.init(arguments)
  }

  override var kind: StepKind { .serial }
  override var changesCounts: Bool { true }
  override func begin() { seen = 0 }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let skipped = min(batch.keptCount, n - seen)
    batch.dropKept(0..<skipped)
    seen += skipped
    return .go
  }
}
