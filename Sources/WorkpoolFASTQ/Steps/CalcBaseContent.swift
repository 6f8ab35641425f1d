// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Number, or percentage among the bases that are not ignored, of some letters in either case, over
/// the segments named; a percentage of nothing is 0.
final class CalcBaseContent: CountedBases {
  static var description: StepDescription {
    StepDescription(
      "CalcBaseContent", "number or percentage of some bases",
      keys: [
        StepKey("bases_to_count", .letters(.any)),
        StepKey("bases_to_ignore", .text, isRequired: false),
        StepKey("relative", .bool, default: .bool(true)),
        StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric)),
      ],
      check: { arguments in
        guard arguments.has("bases_to_ignore") else { return nil }
        let ignored = arguments.text("bases_to_ignore")
        if !ignored.utf8.allSatisfy({ Letters.any.contains($0) }) {
          return "bases_to_ignore = \"" + ignored + "\" is not what is needed: letters A to Z"
        }
        return ignored.isEmpty || arguments.bool("relative")
          ? nil : "bases_to_ignore needs relative = true"
      },
      make: { arguments throws(WorkpoolError) in try CalcBaseContent(arguments) })
  }

  private let isRelative: Bool

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    isRelative = arguments.bool("relative")
    let ignored = arguments.has("bases_to_ignore") ? arguments.text("bases_to_ignore") : ""
    try super.init(
      arguments, counted: Array(arguments.text("bases_to_count").utf8),
      ignored: Array(ignored.utf8))
  }

  override func value(counted: Int, considered: Int) -> Double {
    isRelative ? Self.percent(counted, of: considered) : Double(counted)
  }
}
