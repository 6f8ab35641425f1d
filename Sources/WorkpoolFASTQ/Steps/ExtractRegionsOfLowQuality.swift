// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds all runs of qualities below a bound that are long enough, as the regions of one tag.
final class ExtractRegionsOfLowQuality: Step {
  static var description: StepDescription {
    StepDescription(
      "ExtractRegionsOfLowQuality", "find all runs of low quality",
      keys: [
        StepKey("min_quality", .byte(0...255)), StepKey("min_length", .int(1...Int.max)),
        StepKey("segment", .segment), StepKey("out_label", .newLabel(.location)),
      ],
      make: { arguments throws(WorkpoolError) in try ExtractRegionsOfLowQuality(arguments) })
  }

  private let segment: Int
  private let column: Int
  private let lowest: UInt8
  private let minLength: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    column = arguments.column("out_label")
    lowest = arguments.byte("min_quality")
    minLength = arguments.int("min_length")
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = batch.segments[segment].text.bytes.start
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let record = records[read]
      let quality = text + record.quality
      var hasBegun = false
      var index = 0
      while index < record.length {
        guard quality[index] < lowest else {
          index &+= 1
          continue
        }
        let start = index
        while index < record.length, quality[index] < lowest { index &+= 1 }
        guard index - start >= minLength else { continue }
        if !hasBegun { tag.begin(read) }
        hasBegun = true
        try tag.add(
          read, segment: Int32(segment), start: start, length: index - start,
          text + record.sequence + start, index - start)
      }
    }
    return .go
  }
}
