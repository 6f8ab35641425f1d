// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// A set of records that any thread may add to and take from: one bit for each. Adding cannot fail.
///
/// Whoever clears a bit owns the record. The release half of `insert` pairs with the acquire half of
/// `take`, so the taker sees the record as the inserter left it.
struct RecordSet: @unchecked Sendable {
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  private let wordCount: Int

  init(capacity: Int, in arena: Arena) throws(WorkpoolError) {
    wordCount = (capacity + 63) / 64
    words = try arena.allocate(Atomic<UInt64>.self, count: wordCount)
    for index in 0..<wordCount { (words + index).initialize(to: Atomic(0)) }
  }

  func insert(_ record: Int) {
    words[record >> 6].bitwiseOr(1 << UInt64(record & 63), ordering: .acquiringAndReleasing)
  }

  /// For somebody who only looks.
  func contains(_ record: Int) -> Bool {
    words[record >> 6].load(ordering: .relaxed) & 1 << UInt64(record & 63) != 0
  }

  /// Takes a record, preferably the first one from `start` on, round the end.
  /// - Returns: nil if there was none, as far as one look can tell.
  func take(from start: Int) -> Int? {
    let first = start >> 6
    if let record = take(word: first, among: ~0 << UInt64(start & 63)) { return record }
    var index = first + 1
    while index < wordCount {
      if let record = take(word: index, among: ~0) { return record }
      index += 1
    }
    index = 0
    while index <= first {
      if let record = take(word: index, among: ~0) { return record }
      index += 1
    }
    return nil
  }

  private func take(word index: Int, among mask: UInt64) -> Int? {
    var set = words[index].load(ordering: .relaxed) & mask
    while set != 0 {
      let bit = set & (~set &+ 1)
      let old = words[index].bitwiseAnd(~bit, ordering: .acquiringAndReleasing).oldValue
      if old & bit != 0 { return index << 6 | bit.trailingZeroBitCount }
      set = old & ~bit & mask
    }
    return nil
  }
}
