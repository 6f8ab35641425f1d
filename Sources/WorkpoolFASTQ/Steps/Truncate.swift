// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps the first n bases and their qualities; n = 0 empties the read.
final class Truncate: ShortenedReads {
  static var description: StepDescription {
    StepDescription(
      "Truncate", "keep the first n bases",
      keys: keys(from: 0),
      make: { arguments throws(WorkpoolError) in try Truncate(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let records = batch.segments[segment].records.start
    let acting = try acting(batch)
    for read in 0..<batch.count where acting[read] != 0 {
      records[read].length = min(n, records[read].length)
    }
    testPlaces(batch, segment)
    return .go
  }
}
