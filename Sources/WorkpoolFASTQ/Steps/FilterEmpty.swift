// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps the reads whose length, summed over the segments named, is at least 1.
final class FilterEmpty: Step {
  static var description: StepDescription {
    StepDescription(
      "FilterEmpty", "drop reads without a base", keys: [StepKey("segment", .segmentOrAll)],
      make: { arguments throws(WorkpoolError) in try FilterEmpty(arguments) })
  }

  private let segments: Range<Int>

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segments = arguments.segments("segment")
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let keep = batch.keep.start
    // Bit 1 is set where a base was found; then both bits decide.
    for segment in segments {
      let records = batch.segments[segment].records.start
      for read in 0..<batch.count where records[read].length > 0 { keep[read] |= 2 }
    }
    var kept = 0
    for read in 0..<batch.count {
      keep[read] = keep[read] == 3 ? 1 : 0
      kept &+= Int(keep[read])
    }
    batch.keptCount = kept
    return .go
  }
}
