// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Bases of the read, summed over the segments named.
final class CalcLength: Step {
  static var description: StepDescription {
    StepDescription(
      "CalcLength", "number of bases",
      keys: [StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric))],
      make: { arguments throws(WorkpoolError) in try CalcLength(arguments) })
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
    for segment in segments {
      let records = batch.segments[segment].records.start
      for read in 0..<batch.count { values[read] += Double(records[read].length) }
    }
    return .go
  }
}
