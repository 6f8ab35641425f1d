// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What the blocks in flight weigh together, in bytes, and how much that may be.
///
/// A block is admitted while the sum is below the limit, so the sum stays below limit + one block, and
/// a block that is larger than the limit passes alone. Its weight is added when it comes in (from the
/// source: when the call returns), corrected after each stage, and subtracted when its payload goes.
/// What a stage adds is not held up: it only keeps the next blocks out.
///
/// Who waits for the sum to fall (the source: `Baton.noBytes`; submitters: `Flow.waiters`) makes that
/// known by a sequentially consistent read-modify-write and looks at the sum again. The subtraction
/// that brings the sum from the limit or more to less is a sequentially consistent
/// read-modify-write, too, and comes before its thread's look at who waits. If the waiter has still seen
/// too large a sum, such a subtraction comes after its look, and its thread sees the waiter. The same
/// holds for a raised limit. Weights that are equal for all blocks need only that one wake: the waiters
/// come in until the sum has reached the limit again.
struct Weights: ~Copyable {
  static let noLimit = Int64.max
  /// Blocks weigh at most this much, so that no sum overflows.
  static let most: Int64 = 1 << 46

  private let sum = Atomic<Int64>(0)
  private let highest = Atomic<Int64>(0)
  private let limitWord: Atomic<Int64>

  /// - Parameter limit: bytes; 0: none.
  init(limit: Int) { limitWord = Atomic(Self.limit(limit)) }

  private static func limit(_ limit: Int) -> Int64 { limit == 0 ? noLimit : Int64(limit) }

  /// Bytes; `noLimit` if there is none.
  @inline(__always) var limit: Int64 { limitWord.load(ordering: .relaxed) }
  var current: Int64 { sum.load(ordering: .relaxed) }
  var peak: Int64 { highest.load(ordering: .relaxed) }

  /// Whether no block may come in, at a glance.
  @inline(__always) var isFull: Bool {
    let limit = limit
    return limit != Self.noLimit && sum.load(ordering: .relaxed) >= limit
  }

  /// Whether a block may come in; for a waiter that has made itself known.
  var hasRoom: Bool {
    sum.load(ordering: .sequentiallyConsistent) < limitWord.load(ordering: .sequentiallyConsistent)
  }

  func setLimit(_ limit: Int) {
    _ = limitWord.exchange(Self.limit(limit), ordering: .sequentiallyConsistent)
  }

  func add(_ weight: Int64) {
    note(sum.wrappingAdd(weight, ordering: .relaxed).newValue)
  }

  /// Adds only while the sum is below the limit.
  func addIfRoom(_ weight: Int64) -> Bool {
    if limit == Self.noLimit {
      if weight != 0 { add(weight) }
      return true
    }
    // Sequentially consistent, for a waiter looks by this.
    var now = sum.load(ordering: .sequentiallyConsistent)
    while now < limitWord.load(ordering: .sequentiallyConsistent) {
      if weight == 0 { return true }
      let (done, other) = sum.compareExchange(
        expected: now, desired: now &+ weight, ordering: .sequentiallyConsistent)
      if done {
        note(now &+ weight)
        return true
      }
      now = other
    }
    return false
  }

  /// - Returns: whether others may come in now, for whom there was no room before.
  func subtract(_ weight: Int64) -> Bool {
    let (old, new) = sum.wrappingSubtract(weight, ordering: .sequentiallyConsistent)
    let limit = limitWord.load(ordering: .sequentiallyConsistent)
    return old >= limit && new < limit
  }

  private func note(_ sum: Int64) {
    if sum > highest.load(ordering: .relaxed) { _ = highest.max(sum, ordering: .relaxed) }
  }
}

extension Block {
  /// What the block weighs.
  @inline(__always) var charge: Int64 {
    weight == 0
      ? min(Int64(size), Weights.most) : Int64(min(weight, UInt64(Weights.most)))
  }
}

extension PipelineRun {
  /// After a callback: the block weighs something else now.
  @inline(never)
  func recharge(_ record: UnsafeMutablePointer<Record>, _ weight: Int64) {
    let more = weight &- record.pointee.charged
    record.pointee.charged = weight
    if more > 0 { flow.pointee.weights.add(more) } else { discharge(0 &- more) }
  }

  /// The payload has gone.
  @inline(never)
  func discharge(_ record: UnsafeMutablePointer<Record>) {
    let weight = record.pointee.charged
    record.pointee.charged = 0
    discharge(weight)
  }

  func discharge(_ weight: Int64) {
    if weight != 0 && flow.pointee.weights.subtract(weight) { resumeWaiters() }
  }
}
