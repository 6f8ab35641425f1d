// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Steps that treat the first n reads of each stream in another way than the rest.
class FirstReads: Step {
  final let n: Int
  final let streams: Int
  /// Reads seen of each stream, up to n.
  final var seen: [Int]

  static var keys: [StepKey] { [StepKey("n", .int(0...Int.max))] }

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    n = arguments.int("n")
    streams = arguments.surroundings.streams.count
    seen = Array(repeating: 0, count: streams)
    try super.init(arguments)
  }

  override var kind: StepKind { .serial }
  override var changesCounts: Bool { true }
  override func begin() { seen = Array(repeating: 0, count: streams) }
}
