// SPDX-License-Identifier: MIT
import Testing
import WorkpoolTestSupport

@testable import WorkpoolPipeline

@Suite struct ProgressEstimatorTests {
  static let second: Int64 = 1_000_000_000

  @Test("an even pace is told exactly, however often and unevenly one looks")
  func even() {
    for seed in SeededRandom.seeds(20) {
      var random = SeededRandom(seed: seed)
      let start = Int64(random.below(1 << 40))
      var estimator = ProgressEstimator(start: start)
      #expect(estimator.blocksPerSecond == 0 && estimator.bytesPerSecond == 0)
      var milliseconds: Int64 = 0
      for _ in 0..<100 {
        milliseconds += Int64(random.below(random.chance(10) ? 20_000 : 200))
        estimator.observe(
          start + milliseconds * 1_000_000, blocks: UInt64(3 * milliseconds),
          bytes: UInt64(7000 * milliseconds))
        guard milliseconds > 0 else { continue }
        #expect(estimator.blocksPerSecond == 3000 && estimator.bytesPerSecond == 7_000_000)
        let done = UInt64(3 * milliseconds)
        #expect(estimator.remaining(blocks: done, bytes: nil) == 0)
        let rest = estimator.remaining(blocks: done + 6000, bytes: nil) ?? 0
        #expect(abs(Double(rest) - 2e9) < 1e6)
      }
    }
  }

  @Test("what was long ago counts less and less")
  func change() {
    var estimator = ProgressEstimator(start: 0)
    var blocks: UInt64 = 0
    for second in 1...60 {
      blocks += 1000
      estimator.observe(Int64(second) * Self.second, blocks: blocks, bytes: 0)
    }
    #expect(estimator.blocksPerSecond == 1000)
    var rates: [UInt64] = []
    for second in 61...90 {
      blocks += 100
      estimator.observe(Int64(second) * Self.second, blocks: blocks, bytes: 0)
      rates.append(estimator.blocksPerSecond)
    }
    #expect(rates == rates.sorted(by: >))
    #expect(rates[0] > 800 && rates[4] < 500 && rates[29] < 110)
  }

  @Test("nothing moves: no rate, and the rest is unknown; bytes come before blocks")
  func unknown() {
    var estimator = ProgressEstimator(start: 5)
    estimator.observe(5, blocks: 10, bytes: 10)
    #expect(estimator.blocksPerSecond == 0)
    #expect(estimator.remaining(blocks: 5, bytes: nil) == nil)
    estimator.observe(5 + Self.second, blocks: 0, bytes: 0)
    #expect(estimator.remaining(blocks: 5, bytes: 5) == nil)
    #expect(estimator.remaining(blocks: nil, bytes: nil) == nil)
    #expect(estimator.remaining(blocks: 0, bytes: nil) == 0)
    estimator.observe(5 + 2 * Self.second, blocks: 2, bytes: 200)
    #expect(estimator.remaining(blocks: 4, bytes: nil) != nil)
    let byBytes = estimator.remaining(blocks: 4, bytes: 300) ?? 0
    let byBlocks = estimator.remaining(blocks: 4, bytes: nil) ?? 0
    #expect(byBytes * 2 > byBlocks - 10 && byBytes * 2 < byBlocks + 10)
    // Clocks and counters that go back, and numbers at their end, do no harm.
    estimator.observe(0, blocks: 1, bytes: 1)
    estimator.observe(5 + 3 * Self.second, blocks: 1, bytes: 1)
    estimator.observe(.max, blocks: .max, bytes: .max)
    #expect(estimator.remaining(blocks: .max, bytes: .max) == 0)
    _ = (estimator.blocksPerSecond, estimator.bytesPerSecond)
  }
}
