// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Fails at the first batch, for tests of what a failed run leaves.
final class InduceFailure: Step {
  static var description: StepDescription {
    StepDescription(
      "_InduceFailure", "fail with a message, for tests", kind: .serial,
      keys: [StepKey("msg", .text)],
      make: { arguments throws(WorkpoolError) in try InduceFailure(arguments) })
  }

  private let message: String

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    message = arguments.text("msg")
    try super.init(arguments)
  }

  override var kind: StepKind { .serial }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    throw WorkpoolError(.stageFailed, "induced failure: " + message, place: title)
  }
}
