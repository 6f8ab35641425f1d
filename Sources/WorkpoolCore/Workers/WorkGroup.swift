// SPDX-License-Identifier: MIT
import Synchronization

/// What shares the workers with others as one: the run of a pipeline with all its sources of work, or
/// of a graph. At a fixed address for as long as one of its sources is attached.
public struct WorkGroup: ~Copyable {
  // Under the pool's lock; first, as in WorkSource.
  var account = FairShares.Account()
  var attachedSources = 0
  /// A sleeping helper looks after work for which nobody was woken, see `Pool`.
  let hasSentinel = Atomic<Bool>(false)
  /// Helpers that sleep and could work.
  let sleeping = Atomic<Int>(0)
  /// Threads that wait for something of this group and help or sleep in the pool meanwhile.
  public let helpers = Atomic<Int>(0)
  /// Changes when they shall look whether it has come. Written under the pool's lock.
  public let calls = Atomic<UInt64>(0)
  /// Of the wait graph, under its lock.
  var mark: UInt64 = 0

  /// 1…1000; may change at any time.
  public let weight: Atomic<UInt32>

  public init(weight: UInt32 = 1) { self.weight = Atomic(weight) }
}
