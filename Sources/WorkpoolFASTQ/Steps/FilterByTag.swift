// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps, or removes, the reads with a tag: booleans by value, others by presence.
final class FilterByTag: Step {
  static var description: StepDescription {
    StepDescription(
      "FilterByTag", "keep or remove reads that have a tag",
      keys: [
        StepKey("in_label", .label([.bool, .location, .string])),
        StepKey("keep_or_remove", .choice([["keep"], ["remove"]])),
      ],
      make: { arguments throws(WorkpoolError) in try FilterByTag(arguments) })
  }

  private let tag: TagReference
  private let keeps: Bool

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    keeps = arguments.choice("keep_or_remove") == 0
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let column = batch.columns[tag.column]
    let present = column.present.start
    let keep = batch.keep.start
    var kept = 0
    for read in 0..<batch.count where keep[read] != 0 {
      let isTrue = present[read] != 0 && (tag.kind != .bool || column.values.start[read] != 0)
      keep[read] = isTrue == keeps ? 1 : 0
      kept &+= Int(keep[read])
    }
    batch.keptCount = kept
    return .go
  }
}
