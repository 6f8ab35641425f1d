// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct TurnCellsTests {
    @Test("row 0 holds the first turn of every stage, and a row is used again after the capacity")
    func layout() throws {
      for stages in [1, 2, 15, 16, 17, 63] {
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        let turns = try TurnCells(capacity: 4, serialStages: stages, in: arena)
        for number in UInt64(0)..<4 {
          for stage in 0..<stages {
            let value = turns.cell(stage, number).pointee.load(ordering: .relaxed)
            #expect(value == (number == 0 ? TurnCells.turn : TurnCells.empty))
            #expect(turns.cell(stage, number) == turns.cell(stage, number + 4))
            #expect(turns.cell(stage, number) == turns.cell(stage, number &+ (.max - 3)))
          }
        }
        #expect(UInt(bitPattern: turns.cell(0, 1)) % 64 == 0)
        #expect(turns.cell(stages - 1, 0) < turns.cell(0, 1))
      }
    }

    /// Threads carry numbers through one serial stage with the protocol of the essay; the memory that
    /// the turn protects is plain.
    @Test("of take, arrive and pass exactly one goes on with a block", arguments: [1, 2, 8])
    func hammer(capacity: Int) throws {
      let count = UInt64(TestScale.scaled(50_000))
      let arena = Arena()
      let turns = try TurnCells(capacity: capacity, serialStages: 1, in: arena)
      let shared = Shared()
      Threads(3) { _ in
        while true {
          let number = shared.next.wrappingAdd(1, ordering: .relaxed).oldValue
          if number >= count { return }
          // A row is free when the number one capacity before has gone.
          while number >= shared.gone.load(ordering: .acquiring) + UInt64(capacity) { wpl_yield() }
          var mine = number
          let arrived = TurnCells.firstRecord + UInt32(mine % UInt64(capacity))
          var old = turns.cell(0, mine).pointee.compareExchange(
            expected: TurnCells.turn, desired: TurnCells.empty, successOrdering: .acquiring,
            failureOrdering: .relaxed
          ).original
          if old != TurnCells.turn {
            old = turns.cell(0, mine).pointee.exchange(arrived, ordering: .acquiringAndReleasing)
          }
          while old == TurnCells.turn || old >= TurnCells.firstRecord {
            turns.cell(0, mine).pointee.store(TurnCells.empty, ordering: .relaxed)
            shared.visit(mine)
            old = turns.cell(0, mine + 1).pointee.exchange(
              TurnCells.turn, ordering: .acquiringAndReleasing)
            shared.gone.store(mine + 1, ordering: .releasing)
            if old < TurnCells.firstRecord { break }
            mine += 1  // it had arrived: this thread owns it now
          }
        }
      }.join()
      #expect(shared.visited == count && shared.faults == 0)
      withExtendedLifetime(arena) {}
    }

    final class Shared: @unchecked Sendable {
      let next = Atomic<UInt64>(0)
      let gone = Atomic<UInt64>(0)
      var visited: UInt64 = 0
      var faults = 0
      func visit(_ number: UInt64) {
        if number != visited { faults += 1 }
        visited += 1
      }
    }
  }
}
