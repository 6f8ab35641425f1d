// SPDX-License-Identifier: MIT
import Testing

@testable import WorkpoolPipeline

@Suite struct StuckWatchTests {
  @Test("no movement for too long while there is work is reported, once")
  func once() {
    var watch = StuckWatch(patience: 100)
    for now: Int64 in [1000, 1050, 1099] {
      let isStuck = watch.look(now, movement: 7, hasWork: true)
      #expect(!isStuck)
    }
    let isStuck = watch.look(1100, movement: 7, hasWork: true)
    #expect(isStuck)
    for now: Int64 in [1200, 1300, 5000] {
      let isAgain = watch.look(now, movement: 7, hasWork: true)
      #expect(!isAgain)
    }
    let isLater = watch.look(9000, movement: 8, hasWork: true)
    let isMuchLater = watch.look(99_000, movement: 8, hasWork: true)
    #expect(!isLater && !isMuchLater)
  }

  @Test("every sequence of moving, idling and working: stuck is what did not move for that long")
  func sequences() {
    // Each step takes 60 of a patience of 100; 0: moves, 1: does not move, 2: has no work.
    for ways in 0..<2187 {
      var (rest, movement, quiet, hasReported) = (ways, UInt64(0), Int64(-1), false)
      var watch = StuckWatch(patience: 100)
      for step in 0..<7 {
        let kind = rest % 3
        rest /= 3
        if kind == 0 { movement += 1 }
        quiet = kind == 1 && quiet >= 0 ? quiet + 60 : 0
        let expected = kind == 1 && quiet >= 100 && !hasReported
        let isStuck = watch.look(Int64(step) * 60, movement: movement, hasWork: kind != 2)
        #expect(isStuck == expected, "way \(ways), step \(step)")
        if isStuck { hasReported = true }
      }
    }
  }

  @Test("it is looked at often enough")
  func interval() {
    #expect(StuckWatch.interval(for: 1) == 1_000_000)
    #expect(StuckWatch.interval(for: 1_000_000_000) == 250_000_000)
  }
}
