// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Overwrites the bases of a tag's regions with a letter; the qualities stay.
final class ReplaceTagWithLetter: Step {
  static var description: StepDescription {
    StepDescription(
      "ReplaceTagWithLetter", "overwrite the bases of a tag",
      keys: [StepKey("in_label", .label([.location])), StepKey("letter", .byte(33...126))],
      make: { arguments throws(WorkpoolError) in try ReplaceTagWithLetter(arguments) })
  }

  private let tag: TagReference
  private let letter: UInt8

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    letter = arguments.byte("letter")
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let column = batch.columns[tag.column]
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 && column.present.start[read] != 0 {
      for region in column.regions(of: read) {
        guard column.hits.start[read].isLocated, region.segment != TagRegion.nowhere else {
          throw lostPlace(tag, batch, read)
        }
        let segment = batch.segments[Int(region.segment)]
        let record = segment.records.start[read]
        guard region.start >= 0, region.length <= record.length - region.start else {
          throw lostPlace(tag, batch, read)
        }
        memset(
          segment.text.bytes.start + record.sequence + region.start, Int32(letter), region.length)
      }
    }
    return .go
  }
}
