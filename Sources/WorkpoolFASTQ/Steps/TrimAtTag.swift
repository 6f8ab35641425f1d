// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Cuts reads at the region of a tag, with or without the region itself. A read without the tag
/// stays as it is; a region that reaches beyond its read ends with it.
final class TrimAtTag: Step {
  static var description: StepDescription {
    StepDescription(
      "TrimAtTag", "cut reads at a tag",
      keys: [
        StepKey("in_label", .label([.location])),
        StepKey("direction", .choice([["start"], ["end"]])), StepKey("keep_tag", .bool),
      ],
      check: { arguments in
        let tag = arguments.tag("in_label")
        return arguments.surroundings.severalRegions.contains(tag.column)
          ? "in_label = \"" + tag.label + "\" is made of several regions; one is needed to cut at"
          : nil
      },
      make: { arguments throws(WorkpoolError) in try TrimAtTag(arguments) })
  }

  private let tag: TagReference
  private let cutsStart: Bool
  private let keepsTag: Bool

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    cutsStart = arguments.choice("direction") == 0
    keepsTag = arguments.bool("keep_tag")
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let column = batch.columns[tag.column]
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 && column.present.start[read] != 0 {
      let regions = column.regions(of: read)
      guard let region = regions.first else { continue }
      guard regions.count == 1 else {
        throw error(
          "the tag \"" + tag.label + "\" has " + String(regions.count)
            + " regions; one is needed to cut at", batch, read: read)
      }
      guard column.hits.start[read].isLocated, region.segment != TagRegion.nowhere else {
        throw lostPlace(tag, batch, read)
      }
      cut(batch, read, region)
      if !keepsTag { column.hits.start[read].isLocated = false }
    }
    return .go
  }

  private func cut(_ batch: FASTQBatch, _ read: Int, _ region: TagRegion) {
    let segment = Int(region.segment)
    let records = batch.segments[segment].records.start
    let length = records[read].length
    let end = min(region.start + region.length, length)
    if cutsStart {
      let dropped = keepsTag ? min(region.start, length) : end
      records[read].sequence &+= dropped
      records[read].quality &+= dropped
      records[read].length &-= dropped
      places.cutStart(batch, read, segment, by: dropped)
    } else {
      let kept = keepsTag ? end : min(region.start, length)
      records[read].length = kept
      places.cutEnd(batch, read, segment, at: kept)
    }
  }
}

extension Step {
  final func lostPlace(_ tag: TagReference, _ batch: FASTQBatch, _ read: Int) -> WorkpoolError {
    error(
      "the tag \"" + tag.label + "\" has lost its place in the read, or lies outside of it", batch,
      read: read)
  }
}
