// SPDX-License-Identifier: MIT
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct CallHistogramTests {
    @Test("the middle of a class is at most 12.5 % from what it holds; classes follow each other")
    func error() {
      var last = 0
      for power in 0..<41 {
        for eighth in UInt64(0)..<64 {
          let time = (1 << UInt64(power)) + eighth * (1 << UInt64(power)) / 64
          let index = CallHistogram.index(time)
          #expect(index >= last && index < CallHistogram.classCount)
          last = index
          let middle = CallHistogram.middle(of: index)
          let error = Double(middle.distance(to: time).magnitude) / Double(time)
          #expect(error <= 0.125, "\(time) is shown as \(middle)")
        }
      }
      #expect(CallHistogram.index(0) == 0 && CallHistogram.middle(of: 0) == 0)
      #expect(CallHistogram.index(.max) == CallHistogram.classCount - 1)
    }

    @Test("quantiles count calls")
    func quantiles() throws {
      let arena = Arena()
      defer { withExtendedLifetime(arena) {} }
      let cells = try arena.allocateZeroed(Atomic<UInt64>.self, count: CallHistogram.classCount)
      let histogram = CallHistogram(cells)
      var counts = [UInt64](repeating: 0, count: CallHistogram.classCount)
      #expect(CallHistogram.quantile(0.5, of: counts) == 0)
      histogram.add(3, 980)
      histogram.add(6, 19)
      histogram.add(1 << 20, 1)
      histogram.add(to: &counts)
      #expect(CallHistogram.quantile(0.5, of: counts) == 3)
      #expect(CallHistogram.quantile(0.98, of: counts) == 3)
      #expect(CallHistogram.quantile(0.981, of: counts) == 6)
      #expect(CallHistogram.quantile(0.999, of: counts) == 6)
      #expect(CallHistogram.quantile(1, of: counts) == CallHistogram.middle(of: 19 * 4))
    }
  }

  @Suite struct StageCountsTests {
    private func withCounts(_ body: (borrowing StageCounts) -> Void) throws {
      let arena = Arena()
      let cells = try arena.allocateZeroed(Atomic<UInt64>.self, count: CallHistogram.classCount)
      let counts = StageCounts(histogram: CallHistogram(cells))
      body(counts)
      withExtendedLifetime(arena) {}
    }

    /// Makes calls of these lengths, one at each tick of a thousandth of a second.
    private func run(_ counts: borrowing StageCounts, _ lengths: [UInt64], everyCall: Bool = false)
    {
      for (index, length) in lengths.enumerated() {
        if counts.countsDown() { continue }
        counts.note(
          length, endingAt: 1_000_000 * Int64(index + 1), cpu: length / 2, takesTimes: true,
          timesEveryCall: everyCall)
      }
    }

    @Test("every call is counted once, timed or not")
    func calls() throws {
      try withCounts { counts in
        for calls in 1...3000 {
          run(counts, [[3, 700, 90_000][calls % 3]])
          #expect(counts.calls == UInt64(calls))
        }
        counts.countUntimed()
        #expect(counts.calls == 3001)
      }
    }

    @Test("a timed call stands for those before it", arguments: [100, 2_000, 8_000] as [UInt64])
    func estimate(length: UInt64) throws {
      try withCounts { counts in
        run(counts, Array(repeating: length, count: 10_000))
        #expect(counts.times.busy == length * 10_000)
        let timed = counts.timedCalls.load(ordering: .relaxed)
        #expect(
          length == 100
            ? 39...60 ~= timed : length == 2_000 ? 500...1200 ~= timed : timed == 10_000)
        // Half of each call was slept.
        let (busy, cpu) = counts.times
        #expect(cpu >= busy / 2 && cpu <= busy)
      }
    }

    @Test("the calls of which one was long cannot have taken longer than there was time")
    func outlier() throws {
      try withCounts { counts in
        // Every call but the last is short; a second lies between it and the first one.
        run(counts, [100])
        while counts.countsDown() {}
        counts.note(
          500_000_000, endingAt: 1_001_000_000, cpu: nil, takesTimes: true, timesEveryCall: false)
        #expect(counts.times.busy == 100 + 1_000_000_000)
      }
    }
  }
}
