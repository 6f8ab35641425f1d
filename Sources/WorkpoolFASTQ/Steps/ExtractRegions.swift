// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Takes several regions at fixed places, as one tag.
final class ExtractRegions: ExtractedRegions {
  static var description: StepDescription {
    StepDescription(
      "ExtractRegions", "take regions at fixed places as one tag",
      keys: [StepKey("regions", .regions), StepKey("out_label", .newLabel(nil))],
      kindOfTag: { arguments in kind(arguments.regions("regions")) },
      make: { arguments throws(WorkpoolError) in try ExtractRegions(arguments) })
  }

  private let severalOf: TagReference?

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    let regions = arguments.regions("regions")
    severalOf = regions.count > 1 ? arguments.tag("out_label") : nil
    try super.init(arguments, regions)
  }

  override func useTags(_ tags: inout TagTable) {
    if let severalOf { tags.markSeveral(severalOf) }
  }
}
