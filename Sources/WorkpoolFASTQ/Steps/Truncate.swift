// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps the first n bases and their qualities; n = 0 empties the read.
final class Truncate: Step {
  static var description: StepDescription {
    StepDescription(
      "Truncate", "keep the first n bases",
      keys: [StepKey("n", .int(0...Int.max)), StepKey("segment", .segment), .condition],
      make: { arguments throws(WorkpoolError) in try Truncate(arguments) })
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
      records[read].length = min(n, records[read].length)
    }
    testPlaces(batch, segment)
    return .go
  }
}
