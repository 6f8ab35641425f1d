// SPDX-License-Identifier: MIT
import Synchronization

/// What shares the workers with others as one: the run of a pipeline with all its sources of work, or
/// of a graph. At a fixed address for as long as one of its sources is attached.
public struct WorkGroup: ~Copyable {
  // Under the pool's lock; first, as in WorkSource.
  var account = FairShares.Account()
  var attachedSources = 0

  /// 1…1000; may change at any time.
  public let weight: Atomic<UInt32>

  public init(weight: UInt32 = 1) { self.weight = Atomic(weight) }
}
