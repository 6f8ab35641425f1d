// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Share of neighbouring bases that differ (the low complexity filter of fastp; Chen et al.,
/// Bioinformatics 34:i884, 2018), over the neighbours in all segments named; 0 where there are none.
final class CalcComplexity: NumberOfRead {
  static var description: StepDescription {
    StepDescription(
      "CalcComplexity", "share of neighbouring bases that differ", keys: keys,
      make: { arguments throws(WorkpoolError) in try CalcComplexity(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      var different = 0
      var pairs = 0
      for segment in segments {
        let record = batch.segments[segment].records.start[read]
        let bases = batch.segments[segment].text.bytes.start + record.sequence
        pairs += max(0, record.length - 1)
        var index = 1
        while index < record.length {
          if bases[index] != bases[index - 1] { different &+= 1 }
          index &+= 1
        }
      }
      values[read] = pairs == 0 ? 0 : Double(different) / Double(pairs)
    }
    return .go
  }
}
