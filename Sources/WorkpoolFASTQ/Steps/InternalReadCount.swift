// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Counts the reads that reach it, for the report: for tests of what an early stop cuts off.
final class InternalReadCount: Step {
  static var description: StepDescription {
    StepDescription(
      "_InternalReadCount", "count reads for the report, for tests",
      keys: [StepKey("out_label", .text)],
      make: { arguments throws(WorkpoolError) in try InternalReadCount(arguments) })
  }

  private final class Found: StepPartial {
    var reads = 0
  }

  private let label: String
  private var reads = 0

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    label = arguments.text("out_label")
    try super.init(arguments)
  }

  override var merging: StepMerging { .untilStop }
  override var reporting: StepReporting { .also }
  override var reportName: String? { label }
  override func begin() { reads = 0 }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let found = partial(of: batch, or: Found())
    found.reads = batch.keptCount
    return .go
  }

  override func merge(_ partial: StepPartial) {
    reads += unsafeDowncast(partial, to: Found.self).reads
  }

  override func report() -> StepReport? {
    var json = JSONText()
    json.beginObject()
    json.key("_InternalReadCount")
    json.number(reads)
    json.endObject()
    return StepReport(name: label, json: json.text)
  }
}
