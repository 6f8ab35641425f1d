// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Drops the first n reads that reach it.
final class Skip: FirstReads {
  static var description: StepDescription {
    StepDescription(
      "Skip", "drop the first n reads", kind: .serial,
      keys: keys,
      make: { arguments throws(WorkpoolError) in try Skip(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    if streams > 1 { return passPerStream(batch) }
    let skipped = min(batch.keptCount, n - seen[0])
    batch.dropKept(0..<skipped)
    seen[0] += skipped
    return .go
  }

  private func passPerStream(_ batch: FASTQBatch) -> StepOutcome {
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      let stream = Int(batch.streams.start[read])
      guard seen[stream] < n else { continue }
      seen[stream] += 1
      keep[read] = 0
      batch.keptCount -= 1
    }
    return .go
  }
}
