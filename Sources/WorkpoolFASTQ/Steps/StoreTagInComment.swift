// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Puts a tag into the names of reads as `|label=value`; a missing one has no value.
final class StoreTagInComment: CommentedNames {
  static var description: StepDescription {
    StepDescription(
      "StoreTagInComment", "put a tag into the names of reads",
      keys: [StepKey("in_label", .label([.location, .string, .numeric, .bool]))] + keys + [
        StepKey("region_separator", .text, default: .text("_"))
      ],
      check: { arguments in check(arguments) },
      make: { arguments throws(WorkpoolError) in try StoreTagInComment(arguments) })
  }

  private let text: TagText

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    text = TagText(
      tag: arguments.tag("in_label"), numbers: .brief,
      separator: Array(arguments.text("region_separator").utf8))
    try super.init(arguments, label: text.tag.label)
  }

  override var commentSeparator: UInt8? { separator }

  override func appendValue(
    _ read: Int, _ batch: FASTQBatch, to output: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    try text.append(read, of: batch, to: &output)
  }
}
