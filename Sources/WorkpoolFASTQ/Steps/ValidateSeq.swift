// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Fails at the first read with a base that is not one of `allowed`; letter case counts.
final class ValidateSeq: Step {
  static var description: StepDescription {
    StepDescription(
      "ValidateSeq", "fail unless all bases are allowed",
      keys: [StepKey("allowed", .text), StepKey("segment", .segmentOrAll)],
      make: { arguments throws(WorkpoolError) in try ValidateSeq(arguments) })
  }

  private let segments: Range<Int>
  private let allowed: ByteSet

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segments = arguments.segments("segment")
    allowed = try ByteSet(arguments.text("allowed").utf8)
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    guard let found = allowed.firstOther(in: batch, segments, .sequence) else { return .go }
    throw error(
      visibleByte(found.byte) + " is not allowed", batch, read: found.read, segment: found.segment)
  }
}
