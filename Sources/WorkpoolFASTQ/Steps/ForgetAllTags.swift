// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Ends the lives of all tags.
final class ForgetAllTags: Step {
  static var description: StepDescription {
    StepDescription(
      "ForgetAllTags", "end the lives of all tags", keys: [],
      make: { arguments throws(WorkpoolError) in try ForgetAllTags(arguments) })
  }

  override func useTags(_ tags: inout TagTable) { tags.forgetAll(by: title) }
  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome { .go }
}
