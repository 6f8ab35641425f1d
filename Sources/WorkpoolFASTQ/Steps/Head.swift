// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps the first n reads that reach it and asks to stop with the batch that completes them; with
/// n = 0 that is the first batch.
final class Head: FirstReads {
  static var description: StepDescription {
    StepDescription(
      "Head", "keep the first n reads and stop the input", kind: .serial,
      keys: keys,
      make: { arguments throws(WorkpoolError) in try Head(arguments) })
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    if streams > 1 { return passPerStream(batch) }
    let taken = min(batch.keptCount, n - seen[0])
    batch.dropKept(taken..<batch.keptCount)
    seen[0] += taken
    return seen[0] == n ? .stop : .go
  }

  private func passPerStream(_ batch: FASTQBatch) -> StepOutcome {
    let keep = batch.keep.start
    var kept = 0
    for read in 0..<batch.count where keep[read] != 0 {
      let stream = Int(batch.streams.start[read])
      keep[read] = seen[stream] < n ? 1 : 0
      seen[stream] += Int(keep[read])
      kept += Int(keep[read])
    }
    batch.keptCount = kept
    return seen.allSatisfy { $0 == n } ? .stop : .go
  }
}
