// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Share of neighbouring bases that differ (the low complexity filter of fastp; Chen et al.,
/// Bioinformatics 34:i884, 2018), over the segments named as if they were one read; 0 with at most
/// one base.
final class CalcComplexity: Step {
  static var description: StepDescription {
    StepDescription(
      "CalcComplexity", "share of neighbouring bases that differ",
      keys: [StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric))],
      make: { arguments throws(WorkpoolError) in try CalcComplexity(arguments) })
  }

  private let segments: Range<Int>
  private let column: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segments = arguments.segments("segment")
    column = arguments.column("out_label")
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      var last: UInt8?
      var different = 0
      var pairs = 0
      for segment in segments {
        let record = batch.segments[segment].records.start[read]
        let bases = batch.segments[segment].text.bytes.start + record.sequence
        for index in 0..<record.length {
          if let last {
            pairs &+= 1
            if last != bases[index] { different &+= 1 }
          }
          last = bases[index]
        }
      }
      values[read] = pairs == 0 ? 0 : Double(different) / Double(pairs)
    }
    return .go
  }
}
