// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Compares the names of every stride-th read that reaches the step, the first one included, across
/// the segments. What "equal" means is the subclass's.
class SampledNames: Step {
  static var strideKey: StepKey {
    StepKey("sample_stride", .int(1...Int.max), default: .int(1000))
  }

  private let stride: Int
  /// Reads to pass over before the next sample.
  private var ahead = 0

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    stride = arguments.int("sample_stride")
    try super.init(arguments)
  }

  override var kind: StepKind { .serial }
  override func begin() { ahead = 0 }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    if batch.keptCount <= ahead {
      ahead -= batch.keptCount
      return .go
    }
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      if ahead > 0 {
        ahead &-= 1
        continue
      }
      ahead = stride - 1
      for segment in 0..<batch.segments.count {
        if let message = mismatch(name(batch, read, 0), name(batch, read, segment)) {
          throw error(
            message + ", " + batch.name(read: read, segment: 0) + " in the first segment", batch,
            read: read, segment: segment)
        }
      }
    }
    return .go
  }

  /// Why `name` does not belong to `first`, the name in the first segment; nil if it does. Also
  /// called with the first name itself.
  func mismatch(
    _ first: UnsafeBufferPointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>
  ) -> String? {
    preconditionFailure("each comparison has its own")
  }

  private func name(_ batch: FASTQBatch, _ read: Int, _ segment: Int) -> UnsafeBufferPointer<UInt8>
  {
    let record = batch.segments[segment].records.start[read]
    return UnsafeBufferPointer(
      start: batch.segments[segment].text.bytes.start + record.name, count: record.nameLength)
  }
}
