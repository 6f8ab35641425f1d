// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Keeps n reads of each stream, each with the same probability (algorithm R; Vitter, "Random sampling
/// with a reservoir", ACM TOMS 11:37, 1985). They go on at the end of the input, stream by stream.
final class FilterReservoirSample: Step {
  static var description: StepDescription {
    StepDescription(
      "FilterReservoirSample", aliases: ["reservoirsample"], "keep n reads, all equally likely",
      kind: .serial, keys: [StepKey("n", .int(1...Int.max)), StepKey("seed", .int(0...Int.max))],
      make: { arguments throws(WorkpoolError) in try FilterReservoirSample(arguments) })
  }

  private struct Reservoir {
    var reads: [HeldRead] = []
    var seen: UInt64 = 0
  }

  private let n: Int
  private let seed: UInt64
  private let streams: Int
  private var random: ChaCha20
  private var reservoirs: [Reservoir] = []

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    n = arguments.int("n")
    seed = UInt64(arguments.int("seed"))
    random = ChaCha20(seed: seed)
    streams = arguments.surroundings.streams.count
    try super.init(arguments)
  }

  override var kind: StepKind { .serial }
  override var changesCounts: Bool { true }
  override var holdsReads: Bool { true }

  override func begin() {
    random = ChaCha20(seed: seed)
    reservoirs = Array(repeating: Reservoir(), count: streams)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      keep[read] = 0
      let stream = batch.hasStreams ? Int(batch.streams.start[read]) : 0
      reservoirs[stream].seen += 1
      if reservoirs[stream].reads.count < n {
        reservoirs[stream].reads.append(HeldRead(batch, read))
        continue
      }
      let place = random.uniform(1, reservoirs[stream].seen)
      if place <= UInt64(n) { reservoirs[stream].reads[Int(place) - 1] = HeldRead(batch, read) }
    }
    batch.keptCount = 0
    return .go
  }

  override func release(into batch: FASTQBatch) throws(WorkpoolError) {
    let reads = reservoirs.flatMap { $0.reads }
    batch.isCollected = true
    for read in reads { try read.append(to: batch) }
    try batch.setParsed(reads.count)
    for (index, read) in reads.enumerated() { try read.setTags(of: index, in: batch) }
    guard batch.hasStreams else { return }
    var index = 0
    for (stream, reservoir) in reservoirs.enumerated() {
      for _ in reservoir.reads {
        batch.streams.start[index] = UInt32(stream)
        index += 1
      }
    }
  }
}
