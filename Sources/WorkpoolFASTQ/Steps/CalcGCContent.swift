// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Percentage of G and C among the bases that are not N, in either letter case, over the segments
/// named; 0 where there is none.
final class CalcGCContent: CountedBases {
  static var description: StepDescription {
    StepDescription(
      "CalcGCContent", "percentage of G and C",
      keys: [StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric))],
      make: { arguments throws(WorkpoolError) in
        try CalcGCContent(
          arguments, counted: [UInt8(ascii: "G"), UInt8(ascii: "C")], ignored: [UInt8(ascii: "N")])
      })
  }

  override func value(counted: Int, considered: Int) -> Double {
    Self.percent(counted, of: considered)
  }
}
