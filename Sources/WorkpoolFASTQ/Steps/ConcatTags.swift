// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Joins tags: the regions of locations, or else texts.
final class ConcatTags: Step {
  static var description: StepDescription {
    StepDescription(
      "ConcatTags", "join tags",
      keys: [
        StepKey("in_labels", .labels([.location, .string])),
        StepKey("separator", .text, default: .text("")),
        StepKey("on_missing", .choice([["merge_present"], ["set_missing"]])),
        StepKey("out_label", .newLabel(nil)),
      ],
      check: { arguments in
        arguments.tags("in_labels").count >= 2
          ? nil : "in_labels has one label; at least two are needed"
      },
      kindOfTag: { arguments in
        arguments.tags("in_labels").allSatisfy { $0.kind == .location } ? .location : .string
      },
      make: { arguments throws(WorkpoolError) in try ConcatTags(arguments) })
  }

  private let sources: [TagReference]
  private let out: TagReference
  private let separator: [UInt8]
  private let needsAll: Bool

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    sources = arguments.tags("in_labels")
    out = arguments.tag("out_label")
    separator = Array(arguments.text("separator").utf8)
    needsAll = arguments.choice("on_missing") == 1
    try super.init(arguments)
  }

  override func useTags(_ tags: inout TagTable) { tags.markSeveral(out) }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      var present = 0
      var places = 0
      for source in sources where batch.columns[source.column].present.start[read] != 0 {
        present += 1
        if hasPlaces(batch.columns[source.column], read) { places += 1 }
      }
      if present == 0 || needsAll && present < sources.count { continue }
      try places == present ? joinRegions(batch, read) : joinTexts(batch, read)
    }
    return .go
  }

  private func hasPlaces(_ column: TagColumn, _ read: Int) -> Bool {
    column.regions(of: read).allSatisfy { $0.segment != TagRegion.nowhere }
  }

  private func joinRegions(_ batch: FASTQBatch, _ read: Int) throws(WorkpoolError) {
    let to = batch.columns[out.column]
    to.begin(read)
    for source in sources {
      let from = batch.columns[source.column]
      guard from.present.start[read] != 0 else { continue }
      if !from.hits.start[read].isLocated { to.hits.start[read].isLocated = false }
      for region in from.regions(of: read) {
        try to.add(
          read, segment: region.segment, start: region.start, length: region.length,
          from.bytes.start + region.text, region.textLength)
      }
    }
  }

  private func joinTexts(_ batch: FASTQBatch, _ read: Int) throws(WorkpoolError) {
    let to = batch.columns[out.column]
    let place = to.bytes.count
    var isFirst = true
    for source in sources {
      let from = batch.columns[source.column]
      guard from.present.start[read] != 0 else { continue }
      if !isFirst { try to.bytes.append(separator) }
      isFirst = false
      try from.appendText(of: read, separator: [], to: &to.bytes)
    }
    let size = to.bytes.count - place
    to.begin(read, isLocated: false)
    try to.add(
      read,
      TagRegion(
        segment: TagRegion.nowhere, start: 0, length: size, text: place, textLength: size))
  }
}
