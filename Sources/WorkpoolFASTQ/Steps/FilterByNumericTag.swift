// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps, or removes, the reads whose tag lies in [min_value, max_value); a missing bound bounds
/// nothing, a missing value lies nowhere.
final class FilterByNumericTag: Step {
  static var description: StepDescription {
    StepDescription(
      "FilterByNumericTag", "keep or remove reads by the value of a numeric tag",
      keys: [
        StepKey("in_label", .label([.numeric])),
        StepKey("min_value", .number(), isRequired: false),
        StepKey("max_value", .number(), isRequired: false),
        StepKey("keep_or_remove", .choice([["keep"], ["remove"]])),
      ],
      check: {
        $0.has("min_value") || $0.has("max_value") ? nil : "min_value or max_value is needed"
      },
      make: { arguments throws(WorkpoolError) in try FilterByNumericTag(arguments) })
  }

  private let column: Int
  private let minimum: Double
  private let maximum: Double?
  private let keepsInside: Bool

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    column = arguments.column("in_label")
    minimum = arguments.has("min_value") ? arguments.number("min_value") : -Double.infinity
    maximum = arguments.has("max_value") ? arguments.number("max_value") : nil
    keepsInside = arguments.choice("keep_or_remove") == 0
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].values.start
    let present = batch.columns[column].present.start
    let keep = batch.keep.start
    var kept = 0
    for read in 0..<batch.count where keep[read] != 0 {
      let value = values[read]
      let isInside =
        present[read] != 0 && value >= minimum && (maximum.map { value < $0 } ?? true)
      keep[read] = isInside == keepsInside ? 1 : 0
      kept &+= Int(keep[read])
    }
    batch.keptCount = kept
    return .go
  }
}
