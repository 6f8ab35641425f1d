// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct StagePlacesTests {
    @Test("places are given to those who wait, the oldest first")
    func order() throws {
      let arena = Arena()
      defer { withExtendedLifetime(arena) {} }
      let places = try StagePlaces(limit: 2, capacity: 8, in: arena)
      #expect(places.tryEnter() && places.tryEnter() && !places.tryEnter())
      #expect(places.park(5, oldest: 4) == nil)
      #expect(places.park(1, oldest: 4) == nil)
      #expect(places.park(7, oldest: 4) == nil)
      #expect(!places.tryEnter())
      #expect(places.leave(oldest: 4) == 5)
      #expect(places.leave(oldest: 6) == 7)
      #expect(places.leave(oldest: 6) == 1)
      #expect(places.leave(oldest: 0) == nil && places.leave(oldest: 0) == nil)
      #expect(places.tryEnter() && places.tryEnter() && !places.tryEnter())
      #expect(places.leave(oldest: 0) == nil)
      // A place came free between the look and the parking.
      #expect(places.park(3, oldest: 0) == 3)
    }

    /// Every record wants in again and again; who gets a place may be carried by another thread.
    @Test("never more than k inside, and nobody is left waiting", arguments: [1, 2, 5])
    func hammer(limit: Int) throws {
      let records = 9
      let arena = Arena()
      let places = try StagePlaces(limit: limit, capacity: records, in: arena)
      let ready = try RecordSet(capacity: records, in: arena)
      let rounds = TestScale.scaled(60_000)
      let inside = Tally()
      let visits = Tally()
      for record in 0..<records { ready.insert(record) }
      Threads(4) { thread in
        var random = SeededRandom(seed: UInt64(thread))
        func visit(_ first: Int) {
          var next: Int? = first
          while let record = next {
            inside.add()
            visits.add()
            inside.add(-1)
            ready.insert(record)
            next = places.leave(oldest: random.below(records))
          }
        }
        while visits.value < rounds {
          guard let record = ready.take(from: random.below(records)) else { continue }
          if places.tryEnter() {
            visit(record)
          } else if let admitted = places.park(record, oldest: random.below(records)) {
            visit(admitted)
          }
        }
      }.join()
      #expect(inside.peak <= limit && inside.value == 0)
      var left = 0
      while ready.take(from: 0) != nil { left += 1 }
      #expect(left == records)
      withExtendedLifetime(arena) {}
    }
  }
}
