// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Drops n bases and their qualities at the start; a shorter read becomes empty.
final class CutStart: Step {
  static var description: StepDescription {
    StepDescription(
      "CutStart", "drop n bases at the start",
      keys: [StepKey("n", .int(1...Int.max)), StepKey("segment", .segment), .condition],
      make: { arguments throws(WorkpoolError) in try CutStart(arguments) })
  }

  private let n: Int
  private let segment: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    n = arguments.int("n")
    segment = arguments.segments("segment").lowerBound
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

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
