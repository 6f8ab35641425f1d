// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Ends the life of a tag: its label may be made anew.
final class ForgetTag: Step {
  static var description: StepDescription {
    StepDescription(
      "ForgetTag", "end the life of a tag",
      keys: [StepKey("in_label", .label([.location, .string, .numeric, .bool]))],
      make: { arguments throws(WorkpoolError) in try ForgetTag(arguments) })
  }

  private let tag: TagReference

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    try super.init(arguments)
  }

  override func useTags(_ tags: inout TagTable) { tags.forget(tag, by: title) }
  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome { .go }
}
