// SPDX-License-Identifier: MIT
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

@Suite struct TimerQueueTests {
  /// The same by a plain list.
  struct Model {
    var entries: [(id: UInt64, due: Int64, period: Int64)] = []

    var next: Int? {
      entries.indices.min {
        (entries[$0].due, entries[$0].id) < (entries[$1].due, entries[$1].id)
      }
    }
    mutating func take(at now: Int64) -> UInt64? {
      guard let index = next, entries[index].due <= now else { return nil }
      let id = entries[index].id
      if entries[index].period == 0 {
        entries.remove(at: index)
      } else {
        while entries[index].due <= now { entries[index].due += entries[index].period }
      }
      return id
    }
  }

  /// Both side by side.
  struct Pair: ~Copyable {
    var queue = TimerQueue()
    var model = Model()

    mutating func add(_ id: UInt64, due: Int64, period: Int64 = 0) {
      let entry = TimerQueue.Entry(
        id: id, due: due, period: period, context: UnsafeMutableRawPointer(bitPattern: 64)!
      ) { _ in }
      let isAdded = queue.add(entry)
      #expect(isAdded)
      model.entries.append((id, due, period))
      check()
    }
    mutating func remove(_ id: UInt64) {
      let wasThere = queue.remove(id)
      #expect(wasThere == model.entries.contains { $0.id == id })
      model.entries.removeAll { $0.id == id }
      check()
    }
    mutating func takeAll(at now: Int64) {
      while true {
        let (taken, expected) = (queue.take(at: now)?.id, model.take(at: now))
        #expect(taken == expected)
        check()
        if taken == nil || expected == nil { return }
      }
    }
    func check() {
      let (count, next) = (queue.count, queue.nextDue)
      #expect(count == model.entries.count)
      #expect(next == model.next.map { model.entries[$0].due })
    }
  }

  static func orders(_ ids: [UInt64]) -> [[UInt64]] {
    guard ids.count > 1 else { return [ids] }
    return ids.flatMap { id in orders(ids.filter { $0 != id }).map { [id] + $0 } }
  }

  @Test("whatever is added in which order, what is due comes earliest first, the older one before")
  func orders() {
    // Every way in which four entries can be due at three times, one of them removed or none.
    for ways in 0..<81 {
      var rest = ways
      let dues = (0..<4).map { _ -> Int64 in
        defer { rest /= 3 }
        return Int64(10 * (rest % 3 + 1))
      }
      for order in Self.orders([1, 2, 3, 4]) {
        for removed in UInt64(0)...4 {
          var pair = Pair()
          for id in order { pair.add(id, due: dues[Int(id) - 1]) }
          pair.remove(removed)
          for now in stride(from: Int64(5), through: 35, by: 5) { pair.takeAll(at: now) }
          let count = pair.queue.count
          #expect(count == 0)
        }
      }
    }
  }

  @Test("what repeats is due a period later, and what was missed counts once")
  func repetition() {
    for step: Int64 in [1, 3, 10, 11, 25, 1000] {
      var pair = Pair()
      pair.add(1, due: 10, period: 10)
      pair.add(2, due: 15)
      pair.add(3, due: 10, period: 7)
      for now in stride(from: Int64(0), through: 100, by: Int64.Stride(step)) {
        pair.takeAll(at: now)
        if now > 50 { pair.remove(3) }
      }
      let count = pair.queue.count
      #expect(count == (step > 50 ? 3 : 1))
    }
  }

  @Test("as many as one likes, in any order; without memory nothing is added")
  func many() {
    for seed in SeededRandom.seeds(20) {
      var random = SeededRandom(seed: seed)
      var pair = Pair()
      var now: Int64 = 0
      for id in UInt64(1)...200 {
        switch random.below(4) {
        case 0: pair.remove(UInt64(random.below(Int(id)) + 1))
        case 1:
          now += Int64(random.below(20))
          pair.takeAll(at: now)
        default:
          pair.add(
            id, due: now + Int64(random.below(100)),
            period: random.chance(3) ? Int64(random.below(50) + 1) : 0)
        }
      }
    }
  }

  @Test("times at the end of all time do not overflow")
  func extremes() {
    var pair = Pair()
    pair.add(1, due: .max)
    pair.add(2, due: 5, period: .max)
    let taken = pair.queue.take(at: 10)?.id
    #expect(taken == 2)
    let next = pair.queue.nextDue
    #expect(next == .max)
    let none = pair.queue.take(at: .max - 1)
    #expect(none == nil)
  }
}
