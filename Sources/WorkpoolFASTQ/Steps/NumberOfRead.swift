// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Steps that make a number of each read, of a segment or over all of them.
class NumberOfRead: Step {
  static var keys: [StepKey] {
    [StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric))]
  }

  let segments: Range<Int>
  let column: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segments = arguments.segments("segment")
    column = arguments.column("out_label")
    try super.init(arguments)
  }
}
