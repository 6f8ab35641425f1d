// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Puts the places of a tag's regions into the names of reads as
/// `|label_location=segment:start-end,…`; one that is missing or lost has no value.
final class StoreTagLocationInComment: CommentedNames {
  static var description: StepDescription {
    StepDescription(
      "StoreTagLocationInComment", "put the places of a tag into the names of reads",
      keys: [StepKey("in_label", .label([.location]))] + keys,
      check: { arguments in check(arguments) },
      make: { arguments throws(WorkpoolError) in try StoreTagLocationInComment(arguments) })
  }

  private let column: Int
  private let names: [[UInt8]]

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    let tag = arguments.tag("in_label")
    column = tag.column
    names = arguments.surroundings.segments.map { Array($0.utf8) }
    try super.init(arguments, label: tag.label + "_location")
  }

  override func appendValue(
    _ read: Int, _ batch: FASTQBatch, to output: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    try TagPlaceText.append(read, batch.columns[column], names, to: &output)
  }
}

/// Writes the places of a tag's regions as text.
enum TagPlaceText {
  static func append(
    _ read: Int, _ column: TagColumn, _ names: [[UInt8]], to output: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    guard column.present.start[read] != 0, column.hits.start[read].isLocated else { return }
    for (index, region) in column.regions(of: read).enumerated()
    where region.segment != TagRegion.nowhere {
      if index > 0 { try output.append(UInt8(ascii: ",")) }
      try output.append(names[Int(region.segment)])
      try output.append(UInt8(ascii: ":"))
      try output.append(decimal: region.start)
      try output.append(UInt8(ascii: "-"))
      try output.append(decimal: region.start + region.length)
    }
  }
}
