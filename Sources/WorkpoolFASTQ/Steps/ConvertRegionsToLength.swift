// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Sum of the lengths of a tag's regions; 0 where it is missing.
final class ConvertRegionsToLength: Step {
  static var description: StepDescription {
    StepDescription(
      "ConvertRegionsToLength", "bases that a tag covers",
      keys: [StepKey("in_label", .label([.location])), StepKey("out_label", .newLabel(.numeric))],
      make: { arguments throws(WorkpoolError) in try ConvertRegionsToLength(arguments) })
  }

  private let source: Int
  private let column: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    source = arguments.column("in_label")
    column = arguments.column("out_label")
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    for read in 0..<batch.count { values[read] = Double(batch.columns[source].length(of: read)) }
    return .go
  }
}
