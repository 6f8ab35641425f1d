// SPDX-License-Identifier: MIT

/// When something of a job is due next: at most one time for each, earliest first; of those that are due
/// at the same time the one that was submitted first.
struct DueTimes {
  private struct Entry {
    var due: Int64
    var order: UInt64
    var job: Int32

    func isBefore(_ other: Entry) -> Bool {
      due < other.due || due == other.due && order < other.order
    }
  }

  private var heap: [Entry] = []
  /// By job: its place in the heap; −1: none.
  private var places: [Int32] = []

  var earliest: Int64? { heap.first?.due }

  mutating func makeRoom(for jobs: Int) {
    while places.count < jobs { places.append(-1) }
  }

  /// - Parameter due: nil: nothing is due any more.
  mutating func set(_ job: Int32, order: UInt64, to due: Int64?) {
    let place = Int(places[Int(job)])
    guard let due else {
      if place >= 0 { remove(at: place) }
      return
    }
    let entry = Entry(due: due, order: order, job: job)
    if place >= 0 {
      heap[place] = entry
      sink(rise(place))
    } else {
      heap.append(entry)
      places[Int(job)] = Int32(heap.count - 1)
      rise(heap.count - 1)
    }
  }

  /// The job whose time came first, if it has come.
  mutating func take(at now: Int64) -> Int32? {
    guard let first = heap.first, first.due <= now else { return nil }
    remove(at: 0)
    return first.job
  }

  private mutating func remove(at place: Int) {
    places[Int(heap[place].job)] = -1
    let last = heap.removeLast()
    guard place < heap.count else { return }
    heap[place] = last
    places[Int(last.job)] = Int32(place)
    sink(rise(place))
  }

  @discardableResult
  private mutating func rise(_ start: Int) -> Int {
    var place = start
    while place > 0 {
      let parent = (place - 1) / 2
      guard heap[place].isBefore(heap[parent]) else { break }
      swap(place, parent)
      place = parent
    }
    return place
  }

  private mutating func sink(_ start: Int) {
    var place = start
    while true {
      var first = place
      let left = 2 * place + 1
      if left < heap.count && heap[left].isBefore(heap[first]) { first = left }
      if left + 1 < heap.count && heap[left + 1].isBefore(heap[first]) { first = left + 1 }
      if first == place { return }
      swap(place, first)
      place = first
    }
  }

  private mutating func swap(_ one: Int, _ other: Int) {
    heap.swapAt(one, other)
    places[Int(heap[one].job)] = Int32(one)
    places[Int(heap[other].job)] = Int32(other)
  }
}
