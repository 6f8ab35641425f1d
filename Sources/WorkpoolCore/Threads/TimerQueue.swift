// SPDX-License-Identifier: MIT
import CPlatform

/// What is due when. Pure: no lock, thread or clock; whoever asks says what time it is.
///
/// A binary heap, earliest first; of entries that are due at the same time the older one comes first.
package struct TimerQueue: ~Copyable {
  package typealias Function = @convention(c) (_ context: UnsafeMutableRawPointer) -> Void

  package struct Entry {
    /// Larger for younger entries.
    package var id: UInt64
    /// In `Clock.now` time.
    package var due: Int64
    /// Nanoseconds from one time to the next; 0: once.
    package var period: Int64
    package var context: UnsafeMutableRawPointer
    package var function: Function

    package init(
      id: UInt64, due: Int64, period: Int64, context: UnsafeMutableRawPointer,
      function: @escaping Function
    ) {
      self.id = id
      self.due = due
      self.period = period
      self.context = context
      self.function = function
    }

    fileprivate func isBefore(_ other: Entry) -> Bool {
      due < other.due || due == other.due && id < other.id
    }
  }

  private var entries: UnsafeMutablePointer<Entry>?
  private var room = 0
  package private(set) var count = 0

  package init() {}

  deinit { wpl_free(entries) }

  /// When something will be due; nil: never.
  package var nextDue: Int64? { count > 0 ? entries?[0].due : nil }

  /// - Returns: false without memory; nothing was added then.
  package mutating func add(_ entry: Entry) -> Bool {
    if count == room {
      let wanted = max(8, room * 2)
      guard let memory = wpl_reallocate(entries, wanted * MemoryLayout<Entry>.stride) else {
        return false
      }
      entries = memory.bindMemory(to: Entry.self, capacity: wanted)
      room = wanted
    }
    guard let entries else { return false }
    (entries + count).initialize(to: entry)
    count += 1
    rise(count - 1)
    return true
  }

  /// - Returns: whether the entry was there.
  @discardableResult
  package mutating func remove(_ id: UInt64) -> Bool {
    guard let entries, let index = (0..<count).first(where: { entries[$0].id == id }) else {
      return false
    }
    remove(at: index)
    return true
  }

  /// The earliest entry that is due. One that repeats stays, and is due again a period after it was due;
  /// of times that have passed by then only the last one counts.
  package mutating func take(at now: Int64) -> Entry? {
    guard count > 0, let entries, entries[0].due <= now else { return nil }
    let entry = entries[0]
    if entry.period > 0 {
      // Not beyond now + period, and both are small beside an Int64.
      let missed = (now &- entry.due) / entry.period
      let (next, overflow) = entry.due.addingReportingOverflow((missed &+ 1) &* entry.period)
      entries[0].due = overflow ? .max : next
      sink(0)
    } else {
      remove(at: 0)
    }
    return entry
  }

  private mutating func remove(at index: Int) {
    guard let entries else { return }
    count -= 1
    guard index < count else { return }
    entries[index] = entries[count]
    rise(index)
    sink(index)
  }

  private func rise(_ start: Int) {
    guard let entries else { return }
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard entries[index].isBefore(entries[parent]) else { return }
      swap(index, parent)
      index = parent
    }
  }

  private func sink(_ start: Int) {
    guard let entries else { return }
    var index = start
    while true {
      var first = index
      let left = 2 * index + 1
      if left < count && entries[left].isBefore(entries[first]) { first = left }
      if left + 1 < count && entries[left + 1].isBefore(entries[first]) { first = left + 1 }
      if first == index { return }
      swap(index, first)
      index = first
    }
  }

  private func swap(_ one: Int, _ other: Int) {
    guard let entries else { return }
    let entry = entries[one]
    entries[one] = entries[other]
    entries[other] = entry
  }
}
