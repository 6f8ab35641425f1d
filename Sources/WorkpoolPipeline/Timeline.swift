// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What happened on one worker, the last so many events. Written by that worker, read by anyone.
///
/// Event n lies in slot n mod (capacity + 1). The worker writes a slot by releasing stores and then raises
/// `count`, releasing; a reader reads `count`, the slot, and `count` again, acquiring. While event n is
/// written `count` is n, and the slot that it goes to held the one before the oldest that count. So
/// what was read of event i is whole if i + capacity + 1 > `count` after it.
struct TimelineRing: @unchecked Sendable {
  struct Event {
    enum Kind: UInt8 { case call = 0, stop, error }

    var kind = Kind.call
    var stage = 0
    var status: Int32 = 0
    var begin: Int64 = 0
    var end: Int64 = 0
    var block: UInt64 = 0
    var bytes: UInt64 = 0
    var inFlight = 0
    var ready = 0
    var parked = 0
  }

  static let mostEvents = 1 << 24
  private static let wordsPerEvent = 6
  private static let head = 16
  /// Words of a ring.
  static func size(_ capacity: Int) -> Int { head + (capacity + 1) * wordsPerEvent }

  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  let capacity: Int

  /// - Parameter words: `size` zeros.
  init(_ words: UnsafeMutablePointer<Atomic<UInt64>>, capacity: Int) {
    self.words = words
    self.capacity = capacity
  }

  /// Events so far, those that are lost by now included.
  var count: UInt64 { words[0].load(ordering: .acquiring) }

  private func slot(_ number: UInt64) -> UnsafeMutablePointer<Atomic<UInt64>> {
    words + (Self.head + Int(number % UInt64(capacity + 1)) * Self.wordsPerEvent)
  }

  func append(_ event: Event) {
    let number = words[0].load(ordering: .relaxed)
    let slot = slot(number)
    slot[0].store(UInt64(bitPattern: event.begin), ordering: .releasing)
    slot[1].store(UInt64(bitPattern: event.end), ordering: .releasing)
    slot[2].store(event.block, ordering: .releasing)
    slot[3].store(event.bytes, ordering: .releasing)
    let kind = UInt64(event.kind.rawValue) << 56 | UInt64(event.stage & 0xffff) << 32
    slot[4].store(kind | UInt64(UInt32(bitPattern: event.status)), ordering: .releasing)
    let counters =
      Self.field(event.inFlight) | Self.field(event.ready) << 21 | Self.field(event.parked) << 42
    slot[5].store(counters, ordering: .releasing)
    words[0].store(number &+ 1, ordering: .releasing)
  }

  private static let fieldMask: UInt64 = 1 << 21 - 1
  private static func field(_ number: Int) -> UInt64 { UInt64(max(0, number)) & fieldMask }

  /// nil: it is lost.
  func event(_ number: UInt64) -> Event? {
    let slot = slot(number)
    var event = Event()
    event.begin = Int64(bitPattern: slot[0].load(ordering: .acquiring))
    event.end = Int64(bitPattern: slot[1].load(ordering: .acquiring))
    event.block = slot[2].load(ordering: .acquiring)
    event.bytes = slot[3].load(ordering: .acquiring)
    let kind = slot[4].load(ordering: .acquiring)
    let counters = slot[5].load(ordering: .acquiring)
    guard number &+ UInt64(capacity + 1) > words[0].load(ordering: .acquiring) else { return nil }
    event.kind = Event.Kind(rawValue: UInt8(truncatingIfNeeded: kind >> 56)) ?? .call
    event.stage = Int(kind >> 32 & 0xffff)
    event.status = Int32(truncatingIfNeeded: kind)
    event.inFlight = Int(counters & Self.fieldMask)
    event.ready = Int(counters >> 21 & Self.fieldMask)
    event.parked = Int(counters >> 42 & Self.fieldMask)
    return event
  }
}

extension PipelineRun {
  var hasTimeline: Bool { timelineEvents > 0 }

  func timeline(_ seat: Int) -> TimelineRing {
    TimelineRing(
      timelines + seat * TimelineRing.size(timelineEvents), capacity: timelineEvents)
  }

  /// A call has ended.
  @inline(never)
  func noteCall(
    _ record: UnsafeMutablePointer<Record>, _ stage: Int, _ code: Int32, from begin: Int64,
    to end: Int64, _ seat: Int
  ) {
    var event = TimelineRing.Event()
    event.stage = stageBase + stage
    event.status = code
    event.begin = begin
    event.end = end
    event.block = record.pointee.block.number
    event.bytes = UInt64(clamping: record.pointee.block.size)
    event.inFlight = flow.pointee.credits.snapshot.claimed
    event.ready = flow.pointee.readyCount.load(ordering: .relaxed)
    for stage in 0..<stageCount { event.parked += Int(waits[stage].depths(capacity: capacity).now) }
    timeline(seat).append(event)
  }

  /// A callback has asked for the end, or failed.
  @inline(never)
  func noteInstant(
    _ kind: TimelineRing.Event.Kind, _ record: UnsafeMutablePointer<Record>, _ stage: Int,
    _ code: Int32, _ seat: Int
  ) {
    var event = TimelineRing.Event()
    event.kind = kind
    event.stage = stageBase + stage
    event.status = code
    event.begin = Clock.now
    event.end = event.begin
    event.block = record.pointee.block.number
    timeline(seat).append(event)
  }

  /// Events that the rings have no room for any more.
  var timelineEventsLost: UInt64 {
    guard hasTimeline else { return 0 }
    var lost: UInt64 = 0
    for seat in 0..<workerCount {
      let count = timeline(seat).count
      lost &+= count &- min(count, UInt64(timelineEvents))
    }
    return lost
  }
}
