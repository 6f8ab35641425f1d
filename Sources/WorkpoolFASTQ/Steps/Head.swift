// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps the first n reads that reach it and asks to stop with the batch that completes them; with
/// n = 0 that is the first batch.
final class Head: Step {
  static var description: StepDescription {
    StepDescription(
      "Head", "keep the first n reads and stop the input", kind: .serial,
      keys: [StepKey("n", .int(0...Int.max))],
      make: { arguments throws(WorkpoolError) in try Head(arguments) })
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
    let taken = min(batch.keptCount, n - seen)
    batch.dropKept(taken..<batch.keptCount)
    seen += taken
    return seen == n ? .stop : .go
  }
}
