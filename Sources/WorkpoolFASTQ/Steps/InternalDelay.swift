// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Sleeps 0 to 9 ms for each batch, for tests of what the order of the batches may not change.
final class InternalDelay: Step {
  static var description: StepDescription {
    StepDescription(
      "_InternalDelay", "sleep for a moment, for tests", keys: [],
      make: { arguments throws(WorkpoolError) in try InternalDelay(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    var random = ChaCha20(seed: UInt64(truncatingIfNeeded: batch.firstRead))
    wpl_sleep(Int64(random.uniform(0, 9)) * 1_000_000)
    return .go
  }
}
