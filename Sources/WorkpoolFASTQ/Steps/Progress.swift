// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO

/// Writes a line for every n reads, and a last one with the total, the time and the rate: to
/// `PREFIX_INFIX.progress`, or to standard output.
final class Progress: StreamTexts {
  static var description: StepDescription {
    StepDescription(
      "Progress", "write how far the run is",
      keys: [
        StepKey("n", .int(1...Int.max), default: .int(1_000_000)),
        StepKey("output_infix", .text, isRequired: false),
      ],
      check: { arguments in
        needsOutput(arguments)
          ?? (!arguments.has("output_infix") && arguments.surroundings.naming?.isStdout == true
            ? "output_infix is missing: standard output is for the reads" : nil)
      },
      make: { arguments throws(WorkpoolError) in try Progress(arguments) })
  }

  private final class Found: StepPartial {
    var reads = 0
  }

  private let n: Int
  private let toFile: Bool
  private var reads = 0
  private var start = Clock.now

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    n = arguments.int("n")
    toFile = arguments.has("output_infix")
    try super.init(
      arguments, parts: [arguments.has("output_infix") ? arguments.text("output_infix") : ""],
      suffix: "progress", isPerStream: false, endpoint: toFile ? nil : .standardOutput)
  }

  override var merging: StepMerging { .untilStop }

  override func begin() {
    reads = 0
    start = Clock.now
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let found = partial(of: batch, or: Found())
    found.reads = batch.keptCount
    return .go
  }

  override func merge(_ partial: StepPartial) throws(WorkpoolError) {
    let more = unsafeDowncast(partial, to: Found.self).reads
    let before = reads / n
    reads += more
    guard reads / n > before else { return }
    for mark in (before + 1)...(reads / n) { try say(String(mark * n) + " reads") }
  }

  override func end() throws(WorkpoolError) {
    let seconds = max(Clock.now - start, 1)
    let rate = Int(Double(reads) * 1e9 / Double(seconds))
    try say(
      String(reads) + " reads in " + String(seconds / 1_000_000) + " ms, " + String(rate)
        + " reads per second")
  }

  private func say(_ text: String) throws(WorkpoolError) {
    for writer in writers { try writer.write(text + "\n") }
  }
}
