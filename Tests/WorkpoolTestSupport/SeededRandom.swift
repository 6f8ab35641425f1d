// SPDX-License-Identifier: MIT
import Foundation
import WorkpoolCore

/// Random numbers that a seed repeats (SplitMix64, S. Vigna).
public struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  public mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }
  public mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }

  /// The one seed in `WORKPOOL_SEED`, to replay a failure; otherwise `count` fresh ones.
  public static func seeds(_ count: Int) -> [UInt64] {
    if let text = ProcessInfo.processInfo.environment["WORKPOOL_SEED"], let seed = UInt64(text) {
      return [seed]
    }
    let first = UInt64.random(in: 0...UInt64.max >> 1)
    return (0..<count).map { first + UInt64($0) }
  }
}

/// How large tests are: `WORKPOOL_TEST_SCALE` in percent. Under the thread sanitizer 10 keeps the
/// whole suite within minutes; whatever is left out then is said at the test.
public enum TestScale {
  public static let percent =
    ProcessInfo.processInfo.environment["WORKPOOL_TEST_SCALE"].flatMap(Int.init) ?? 100
  /// How long a test waits before it says that something is stuck: `WORKPOOL_TEST_PATIENCE` seconds.
  public static let patienceNanoseconds =
    (ProcessInfo.processInfo.environment["WORKPOOL_TEST_PATIENCE"].flatMap(Int64.init) ?? 60)
    * 1_000_000_000
  /// The same in pieces of a second, for waits that end the process: where the whole machine stood still,
  /// only one of them is lost.
  public static func withPatience(_ waitsUntil: (Int64) -> Bool) -> Bool {
    for _ in 0..<max(1, patienceNanoseconds / 1_000_000_000)
    where waitsUntil(Clock.now + 1_000_000_000) { return true }
    return false
  }
  public static func scaled(_ count: Int) -> Int { max(1, count * percent / 100) }
}
