// SPDX-License-Identifier: MIT
import Synchronization

/// What the word of `Credits` says.
struct CreditState: Equatable {
  static let one: Int64 = 1
  /// One more in the limit is one more free place, too.
  static let oneOfLimit: Int64 = 1 << 32 + 1

  let word: Int64

  @inline(__always) init(_ word: Int64) { self.word = word }
  init(limit: Int) { word = Int64(limit) &* Self.oneOfLimit }

  /// Limit, less the blocks in flight, less those who wait for a place.
  @inline(__always) var free: Int { Int(Int32(truncatingIfNeeded: word)) }
  @inline(__always) var limit: Int {
    Int(truncatingIfNeeded: (word &- Int64(Int32(truncatingIfNeeded: word))) >> 32)
  }
  /// Blocks in flight and those who wait.
  @inline(__always) var claimed: Int { limit &- free }

  /// Whether one of `waiting` (counted) waiters may have a place: there are fewer blocks in flight than
  /// the limit, even if all waiters that are not among them get theirs.
  @inline(__always) func admits(waiting: Int) -> Bool { free &+ waiting > 0 }

  func with(limit new: Int) -> CreditState {
    CreditState(word &+ Int64(new &- limit) &* Self.oneOfLimit)
  }
}

/// The places of a run, which may change while it runs.
///
/// ## One word
///
/// The word holds the limit and `free` = limit − blocks in flight − those who wait for a place, so one
/// addition changes what has to change together, and one load shows both. `free` is negative while
/// somebody waits, or while more blocks are in flight than a lowered limit allows: those are the
/// run's *debt*. Nothing else records it: a block that leaves adds 1, and as long as that leaves
/// the word below what the waiters alone make of it, nobody is admitted. So a lowered limit takes free
/// places at once and the others from the next blocks that leave; a raised one cancels debt first.
///
/// ## Taking and giving
///
/// - *Take*: subtracts 1. More than 0 before: a place is taken. Otherwise the caller is counted as
///   waiting from now on, and must make that known to those who give.
/// - *Give*: adds what has come free. Less than 0 before: somebody may be waiting, see below.
/// - A waiter *is admitted* when the word says so (`admits`); that changes nothing in the word: it was
///   counted as waiting and is counted as in flight. One that gives up adds 1.
/// - *Change*: adds the difference to limit and `free`.
///
/// Every block is admitted at a moment at which fewer blocks than the limit are in flight: by its own
/// subtraction, or when a waiter looks. No block that is counted twice, no limit of the past.
///
/// ## Why no waiter is forgotten
///
/// A waiter makes itself known by a sequentially consistent read-modify-write (the source by an
/// exchange of the baton, see `Baton`; a submitter by raising `Flow.waiters`), and then looks at the
/// word. Who gives a place or raises the limit changes the word by a sequentially consistent
/// read-modify-write, and then looks for waiters. Of the two changes one is first: either the waiter sees the
/// place, or the giver sees the waiter and resumes it.
struct Credits: ~Copyable {
  private let word: Atomic<Int64>

  init(limit: Int) { word = Atomic(CreditState(limit: limit).word) }

  /// Takes a place, or counts the caller as waiting.
  @inline(__always) func take() -> Bool {
    CreditState(
      // Acquires what the block that had the place left behind; pairs with give.
      word.wrappingSubtract(CreditState.one, ordering: .acquiringAndReleasing).oldValue
    ).free > 0
  }

  /// Takes up to `wanted` places that are free.
  @inline(__always) func take(atMost wanted: Int) -> Int {
    guard wanted > 0 else { return 0 }
    var now = CreditState(word.load(ordering: .relaxed))
    while now.free > 0 {
      let count = min(now.free, wanted)
      let (done, other) = word.compareExchange(
        expected: now.word, desired: now.word &- Int64(count),
        ordering: .acquiringAndReleasing)  // pairs with give
      if done { return count }
      now = CreditState(other)
    }
    return 0
  }

  /// A block enters whose number says that it may: numbered blocks wait for the window instead.
  func claim() { word.wrappingSubtract(CreditState.one, ordering: .acquiringAndReleasing) }

  /// Gives places back, or with 0 only puts what the caller has done before in order with those who give.
  /// - Returns: what was before.
  @inline(__always) @discardableResult func give(_ count: Int) -> CreditState {
    CreditState(
      word.wrappingAdd(Int64(count), ordering: .sequentiallyConsistent).oldValue)
  }

  /// - Returns: the limit before.
  func setLimit(_ limit: Int) -> Int {
    var now = CreditState(word.load(ordering: .relaxed))
    while true {
      let (done, other) = word.compareExchange(
        expected: now.word, desired: now.with(limit: limit).word,
        ordering: .sequentiallyConsistent)
      if done { return now.limit }
      now = CreditState(other)
    }
  }

  /// For statistics, batches and the like.
  @inline(__always) var snapshot: CreditState { CreditState(word.load(ordering: .relaxed)) }

  /// For a waiter that has made itself known.
  @inline(__always) var current: CreditState {
    CreditState(word.load(ordering: .sequentiallyConsistent))
  }
}
