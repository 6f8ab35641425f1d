// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// The places of a stage that takes at most k blocks at once, in any order.
///
/// The counter is k, less the blocks inside, less those waiting. A block that finds no place
/// is first put into `waiting` and then counted, so that whoever gains a right to run a waiting block
/// (by leaving while the counter is negative, or by counting itself while a place has come free) finds
/// one: there are never more rights than bits. Counting before parking would lose blocks.
struct StagePlaces: @unchecked Sendable {
  let limit: Int
  private let counter: UnsafeMutablePointer<Atomic<Int64>>
  private let waiting: RecordSet

  init(limit: Int, capacity: Int, in arena: Arena) throws(WorkpoolError) {
    self.limit = limit
    counter = try arena.allocate(Atomic<Int64>.self, count: 1)
    counter.initialize(to: Atomic(Int64(limit)))
    waiting = try RecordSet(capacity: capacity, in: arena)
  }

  /// For somebody who only looks.
  func isWaiting(_ record: Int) -> Bool { waiting.contains(record) }
  var taken: Int {
    min(limit, limit - Int(truncatingIfNeeded: counter.pointee.load(ordering: .relaxed)))
  }

  /// Takes a place without waiting, if there is one.
  func tryEnter() -> Bool {
    var places = counter.pointee.load(ordering: .relaxed)
    while places > 0 {
      let (done, now) = counter.pointee.compareExchange(
        expected: places, desired: places - 1, ordering: .acquiring)  // pairs with leave
      if done { return true }
      places = now
    }
    return false
  }

  /// Parks a record, which the caller must not touch any more.
  /// - Returns: a record that got a place instead, maybe the same.
  func park(_ record: Int, oldest: Int) -> Int? {
    waiting.insert(record)
    let places = counter.pointee.wrappingSubtract(1, ordering: .acquiringAndReleasing).oldValue
    return places > 0 ? claim(oldest: oldest) : nil
  }

  /// Gives a place back.
  /// - Returns: a waiting record that has it now.
  func leave(oldest: Int) -> Int? {
    let places = counter.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
    return places < 0 ? claim(oldest: oldest) : nil
  }

  /// With a right to one waiting record. Another right may take the bit that was seen, never the last
  /// one.
  private func claim(oldest: Int) -> Int {
    while true {
      if let record = waiting.take(from: oldest) { return record }
      wpl_pause()
    }
  }
}
