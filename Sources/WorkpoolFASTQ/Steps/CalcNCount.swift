// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Number of bases N, in either letter case, over the segments named.
final class CalcNCount: CountedBases {
  static var description: StepDescription {
    StepDescription(
      "CalcNCount", "number of bases N",
      keys: [StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric))],
      make: { arguments throws(WorkpoolError) in
        try CalcNCount(arguments, counted: [UInt8(ascii: "N")], ignored: [])
      })
  }

  override func value(counted: Int, considered: Int) -> Double { Double(counted) }
}
