// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps each read with probability p: where the next 64-bit number of `ChaCha20(seed:)` is less
/// than ⌊p·2⁶⁴⌋. One number per read that reaches the step, in input order.
final class FilterSample: Step {
  static var description: StepDescription {
    StepDescription(
      "FilterSample", aliases: ["sample"], "keep each read with probability p", kind: .serial,
      keys: [StepKey("p", .number(above: 0, below: 1)), StepKey("seed", .int(0...Int.max))],
      make: { arguments throws(WorkpoolError) in try FilterSample(arguments) })
  }

  private let limit: UInt64
  private let seed: UInt64
  private var random: ChaCha20

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    // Exact: a power of two only moves the exponent, and the largest double below 1 stays
    // below 2⁶⁴.
    limit = UInt64(arguments.number("p") * 0x1p64)
    seed = UInt64(arguments.int("seed"))
    random = ChaCha20(seed: seed)
    try super.init(arguments)
  }

  override var kind: StepKind { .serial }
  override var changesCounts: Bool { true }
  override func begin() { random = ChaCha20(seed: seed) }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let keep = batch.keep.start
    var kept = 0
    for read in 0..<batch.count where keep[read] != 0 {
      keep[read] = random.next64() < limit ? 1 : 0
      kept &+= Int(keep[read])
    }
    batch.keptCount = kept
    return .go
  }
}
