// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Bases of the read, summed over the segments named.
final class CalcLength: NumberOfRead {
  static var description: StepDescription {
    StepDescription(
      "CalcLength", "number of bases", keys: keys,
      make: { arguments throws(WorkpoolError) in try CalcLength(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    for segment in segments {
      let records = batch.segments[segment].records.start
      for read in 0..<batch.count { values[read] += Double(records[read].length) }
    }
    return .go
  }
}
