// SPDX-License-Identifier: MIT

/// What a step took and left: reads (molecules), and bases of all segments together.
///
/// Each batch carries its own, so their sum over the batches that count is exact and the same in
/// any order.
public struct StepCounters: BitwiseCopyable, Equatable, Sendable {
  public var readsIn = 0
  public var readsOut = 0
  public var basesIn = 0
  public var basesOut = 0

  public init() {}

  public mutating func add(_ other: StepCounters) {
    readsIn &+= other.readsIn
    readsOut &+= other.readsOut
    basesIn &+= other.basesIn
    basesOut &+= other.basesOut
  }
}
