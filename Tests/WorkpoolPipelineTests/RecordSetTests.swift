// SPDX-License-Identifier: MIT
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct RecordSetTests {
    @Test("what is inserted is taken once, from the start given and round the end")
    func order() throws {
      for capacity in [1, 3, 64, 65, 200] {
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        let set = try RecordSet(capacity: capacity, in: arena)
        #expect(set.take(from: 0) == nil)
        for start in 0..<capacity {
          var members = Set<Int>()
          var random = SeededRandom(seed: UInt64(capacity * 1000 + start))
          for record in 0..<capacity where random.chance(2) {
            set.insert(record)
            members.insert(record)
          }
          let expected =
            members.filter { $0 >= start }.sorted() + members.filter { $0 < start }.sorted()
          var taken: [Int] = []
          while let record = set.take(from: start) { taken.append(record) }
          #expect(taken == expected, "capacity \(capacity) from \(start)")
        }
      }
    }

    @Test("threads that insert and take lose nothing and get nothing twice")
    func hammer() throws {
      let capacity = 130
      let arena = Arena()
      let set = try RecordSet(capacity: capacity, in: arena)
      let rounds = TestScale.scaled(20_000)
      // Plain memory, protected by who owns the record.
      let uses = UnsafeMutablePointer<Int>.allocate(capacity: capacity)
      uses.initialize(repeating: 0, count: capacity)
      nonisolated(unsafe) let shared = uses
      for record in 0..<capacity { set.insert(record) }
      Threads(4) { thread in
        var random = SeededRandom(seed: UInt64(thread))
        for _ in 0..<rounds {
          guard let record = set.take(from: random.below(capacity)) else { continue }
          shared[record] += 1
          set.insert(record)
        }
      }.join()
      var left = 0
      while set.take(from: 7) != nil { left += 1 }
      #expect(left == capacity)
      #expect((0..<capacity).reduce(0) { $0 + uses[$1] } == 4 * rounds)
      uses.deallocate()
      withExtendedLifetime(arena) {}
    }
  }
}
