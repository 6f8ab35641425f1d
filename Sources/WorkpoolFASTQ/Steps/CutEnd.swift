// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Drops n bases and their qualities at the end; a shorter read becomes empty.
final class CutEnd: ShortenedReads {
  static var description: StepDescription {
    StepDescription(
      "CutEnd", "drop n bases at the end",
      keys: keys(from: 1),
      make: { arguments throws(WorkpoolError) in try CutEnd(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let records = batch.segments[segment].records.start
    let acting = try acting(batch)
    for read in 0..<batch.count where acting[read] != 0 {
      records[read].length &-= min(n, records[read].length)
    }
    testPlaces(batch, segment)
    return .go
  }
}
