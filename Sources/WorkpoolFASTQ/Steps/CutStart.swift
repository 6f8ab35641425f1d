// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Drops n bases and their qualities at the start; a shorter read becomes empty.
final class CutStart: ShortenedReads {
  static var description: StepDescription {
    StepDescription(
      "CutStart", "drop n bases at the start",
      keys: keys(from: 1),
      make: { arguments throws(WorkpoolError) in try CutStart(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let records = batch.segments[segment].records.start
    let acting = try acting(batch)
    for read in 0..<batch.count where acting[read] != 0 {
      let dropped = min(n, records[read].length)
      records[read].sequence &+= dropped
      records[read].quality &+= dropped
      records[read].length &-= dropped
      if !places.isEmpty { places.cutStart(batch, read, segment, by: n) }
    }
    return .go
  }
}
