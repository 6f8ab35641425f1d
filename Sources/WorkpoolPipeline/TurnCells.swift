// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// The order of serial stages: one cell per number and stage.
///
/// A block n that comes to serial stage s before its turn is parked in cell (s, n); the block before it
/// passes the turn on through the same cell. The cells are the reorder buffer: nothing is searched
/// and nothing is locked.
///
/// ## States of a cell
///
/// `empty` (0), `turn` (1: every smaller number has passed the stage) and *arrived* (2 + index of the
/// record that waits). Transitions, each one exchange:
///
/// - *Take* (the carrier of n): replaces `turn` by `empty`, acquiring, if the turn is there, and goes
///   on. Otherwise it arrives: only then it has to look at a clock.
/// - *Arrive* (the same thread): writes the record, then exchanges in *arrived*, acquiring and
///   releasing. Finds `turn`: it has come meanwhile; the thread stores `empty` and goes on. Finds
///   `empty`: the block is parked, and this thread touches it no more.
/// - *Pass* (the carrier of n - 1, having finished stage s): exchanges in `turn`, acquiring and
///   releasing. Finds `empty`: n has not come, and will find the turn. Finds *arrived*: this thread
///   owns n from now on and must run it or publish it.
///
/// ## Why nothing is lost
///
/// Take or arrive, and pass, are exchanges of one location, so one comes first, and the second one sees
/// the first: exactly one of the two threads goes on with n. A take that fails changes nothing. The
/// release half of the first pairs with the acquire half of the second, so whoever goes on sees the
/// record, and everything that the callbacks for 0…n - 1 wrote.
///
/// Row n & mask is used again by n + capacity. That number is admitted only after n has left the last
/// stage, which is always serial, and n has left `empty` in each of its cells before that. In
/// ordered delivery the limit sees to that: n keeps its place so long. Unordered, n gives its
/// place back earlier, and who admits n + capacity looks at `retired` (`hasRow`).
///
/// ## Turns that are kept
///
/// A worker that has finished n in a stage and has n + 1 next in its own queue need not pass the turn:
/// until it comes to that stage with n + 1, nobody else can use it. It does so in the last stage, and
/// in the others while the run is compact (`Pace`), for there another callback may follow before
/// n + 1 is taken up. With the last turn it also keeps back the places of the blocks that have left. If
/// it does not get n + 1 after all, or has to park a block on the way, it passes all turns and
/// places before anything else (`passKept`).
struct TurnCells: @unchecked Sendable {
  static let empty: UInt32 = 0
  static let turn: UInt32 = 1
  static let firstRecord: UInt32 = 2

  private let cells: UnsafeMutablePointer<Atomic<UInt32>>
  private let rowLength: Int
  private let mask: UInt64

  /// Each row begins a cache line, so that neighbouring numbers do not disturb each other.
  /// - Parameter withoutTurn: stages without turns, see `Gathering`.
  init(
    capacity: Int, serialStages: Int, withoutTurn: [Int] = [], in arena: Arena
  ) throws(WorkpoolError) {
    rowLength = (serialStages + 15) & ~15
    let count = rowLength * capacity
    cells = try arena.allocate(Atomic<UInt32>.self, count: count)
    for index in 0..<count {
      // Row 0 holds the first turn of every stage.
      (cells + index).initialize(to: Atomic(index < rowLength ? Self.turn : Self.empty))
    }
    mask = UInt64(capacity - 1)
    for stage in withoutTurn { cell(stage, 0).pointee.store(Self.empty, ordering: .relaxed) }
  }

  @inline(__always)
  func cell(_ stage: Int, _ number: UInt64) -> UnsafeMutablePointer<Atomic<UInt32>> {
    cells + (Int(truncatingIfNeeded: number & mask) &* rowLength &+ stage)
  }
}
