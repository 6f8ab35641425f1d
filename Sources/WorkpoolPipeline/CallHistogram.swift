// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// How many calls took how long: four classes for each power of two, so that the middle of a class is
/// at most 12.5 % from what it holds. Written by one worker, read by anyone.
struct CallHistogram: @unchecked Sendable {
  /// The last class begins at half an hour.
  static let classCount = 160

  private let counts: UnsafeMutablePointer<Atomic<UInt64>>

  /// - Parameter counts: room for `classCount` zeros.
  init(_ counts: UnsafeMutablePointer<Atomic<UInt64>>) { self.counts = counts }

  func add(_ nanoseconds: UInt64, _ calls: UInt64) {
    counts[Self.index(nanoseconds)].count(calls)
  }

  /// Adds what is here to `sum`.
  func add(to sum: inout [UInt64]) {
    for index in 0..<Self.classCount { sum[index] &+= counts[index].load(ordering: .relaxed) }
  }

  /// The time that the given share of the calls did not exceed, in nanoseconds.
  static func quantile(_ share: Double, of counts: [UInt64]) -> UInt64 {
    let total = counts.reduce(0, &+)
    guard total > 0 else { return 0 }
    let wanted = max(1, UInt64((Double(total) * share).rounded(.up)))
    var sum: UInt64 = 0
    for index in 0..<classCount {
      sum &+= counts[index]
      if sum >= wanted { return middle(of: index) }
    }
    return middle(of: classCount - 1)
  }

  static func index(_ nanoseconds: UInt64) -> Int {
    if nanoseconds < 4 { return Int(nanoseconds) }
    let power = 63 - nanoseconds.leadingZeroBitCount
    return min(classCount - 1, (power - 1) * 4 + Int(nanoseconds >> UInt64(power - 2) & 3))
  }

  static func middle(of index: Int) -> UInt64 {
    if index < 8 { return UInt64(index) }
    let shift = UInt64(index / 4 - 1)
    return (4 + UInt64(index & 3)) << shift + 1 << (shift - 1)
  }
}
