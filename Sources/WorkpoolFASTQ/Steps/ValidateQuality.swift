// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Fails at the first read with a quality byte outside the range of an encoding: sanger
/// (illumina1.8) 33–126, solexa 59–126, illumina1.3 64–126 (Cock et al., Nucleic Acids Res.
/// 38:1767, 2010).
final class ValidateQuality: Step {
  static var description: StepDescription {
    StepDescription(
      "ValidateQuality", "fail unless all quality bytes lie in the range of an encoding",
      keys: [
        StepKey(
          "encoding", .choice([["sanger", "illumina1.8"], ["solexa"], ["illumina1.3"]])),
        StepKey("segment", .segmentOrAll),
      ],
      make: { arguments throws(WorkpoolError) in try ValidateQuality(arguments) })
  }

  private let segments: Range<Int>
  private let lowest: UInt8
  private let valid: ByteSet

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segments = arguments.segments("segment")
    lowest = [33, 59, 64][arguments.choice("encoding")]
    valid = try ByteSet(lowest...126)
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    guard let found = valid.firstOther(in: batch, segments, .quality) else { return .go }
    throw error(
      "quality " + visibleByte(found.byte) + " is outside " + String(lowest) + " to 126", batch,
      read: found.read, segment: found.segment)
  }
}
