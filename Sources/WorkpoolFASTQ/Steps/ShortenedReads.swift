// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Steps that shorten the reads of a segment by a number of bases, or to it.
class ShortenedReads: Step {
  final let n: Int
  final let segment: Int

  static func keys(from least: Int) -> [StepKey] {
    [StepKey("n", .int(least...Int.max)), StepKey("segment", .segment), .condition]
  }

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    n = arguments.int("n")
    segment = arguments.segments("segment").lowerBound
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }
}
