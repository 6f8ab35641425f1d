// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Number of quality bytes for which `byte operator threshold` holds, summed over the segments
/// named. Bytes are compared as numbers, so "worse" is the larger one.
final class CalcQualifiedBases: NumberOfRead {
  static var description: StepDescription {
    StepDescription(
      "CalcQualifiedBases", "number of bases whose quality byte compares to a threshold",
      keys: [
        StepKey("threshold", .byte(0...255)),
        StepKey(
          "operator", aliases: ["op"],
          .choice([
            ["above", "worse", ">", "gt"], ["below", "better", "<", "lt"],
            ["above_or_equal", "worse_or_equal", ">=", "gte"],
            ["below_or_equal", "better_or_equal", "<=", "lte"],
          ])),
        StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric)),
      ],
      make: { arguments throws(WorkpoolError) in try CalcQualifiedBases(arguments) })
  }

  /// The bytes counted; none if it is empty.
  private let counted: Range<Int>

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    let threshold = Int(arguments.byte("threshold"))
    switch arguments.choice("operator") {
    case 0: counted = threshold + 1..<256
    case 1: counted = 0..<threshold
    case 2: counted = threshold..<256
    default: counted = 0..<threshold + 1
    }
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    let keep = batch.keep.start
    guard let first = counted.first.map(UInt8.init), let last = counted.last.map(UInt8.init)
    else { return .go }
    let size = UInt16(last - first) + 1
    for segment in segments {
      let records = batch.segments[segment].records.start
      let text = batch.segments[segment].text.bytes.start
      for read in 0..<batch.count where keep[read] != 0 {
        let quality = text + records[read].quality
        var number = 0
        for index in 0..<records[read].length {
          // The sign of the difference, not a branch: quality is too random to be predicted.
          number &+= Int((UInt16(quality[index] &- first) &- size) &>> 15)
        }
        values[read] += Double(number)
      }
    }
    return .go
  }
}
