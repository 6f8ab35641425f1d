// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// Where the time of one worker goes. Written by the worker alone, read by anyone, without a lock.
///
/// At any moment the worker is in one state, and a change adds the time since the last change to the state
/// that ends. So the four times add up to the time since the worker began, whenever one looks.
///
/// Calls that are too short to be timed (see `StageStatistics`) happen in the state `engine`. What they
/// take is estimated from the timed ones among them, noted apart, and shown as `busy` instead, but
/// never more than there is of `engine`: the sum stays.
///
/// ## Reading
///
/// `version` is odd while a change is written. Its owner stores it odd, then every field by a releasing
/// store, which cannot come before that, then `version` even, releasing. A reader loads `version`, then
/// every field, acquiring, so that the last load of `version` cannot come before them: if both loads
/// show the same even number, no change was written between them.
public struct WorkerMeter: ~Copyable {
  public enum State: Int, Sendable {
    /// Between callbacks: carrying blocks, looking for work.
    case engine = 0
    /// In a callback.
    case busy
    /// In a callback, in a wait of the library's.
    case blocked
    /// Asleep for want of work, or not there.
    case idle
  }

  private let version = Atomic<UInt64>(0)
  private let state = Atomic<Int>(State.engine.rawValue)
  private let since: Atomic<Int64>
  private let engine = Atomic<UInt64>(0)
  private let busy = Atomic<UInt64>(0)
  private let blocked = Atomic<UInt64>(0)
  private let idle = Atomic<UInt64>(0)
  private let begin: Int64
  private let untimed = Atomic<UInt64>(0)
  private let calls = Atomic<UInt64>(0)
  private let wakes = Atomic<UInt64>(0)
  private let isHostThread = Atomic<Bool>(false)
  private var line: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (
    0, 0, 0, 0, 0, 0, 0, 0
  )

  /// The time begins now, in `engine`.
  public init() {
    begin = Clock.now
    since = Atomic(begin)
  }

  /// By the owner: from `now` on it is in that state.
  /// - Returns: the state before, to go back to.
  @inline(__always)
  @discardableResult
  public func enter(_ new: State, at now: Int64) -> State {
    let old = State(rawValue: state.load(ordering: .relaxed)) ?? .engine
    let time = UInt64(clamping: now &- since.load(ordering: .relaxed))
    let number = version.load(ordering: .relaxed)
    version.store(number &+ 1, ordering: .relaxed)
    switch old {
    case .engine: Self.add(time, to: engine)
    case .busy: Self.add(time, to: busy)
    case .blocked: Self.add(time, to: blocked)
    case .idle: Self.add(time, to: idle)
    }
    since.store(max(now, since.load(ordering: .relaxed)), ordering: .releasing)
    state.store(new.rawValue, ordering: .releasing)
    version.store(number &+ 2, ordering: .releasing)
    return old
  }

  @inline(__always)
  private static func add(_ time: UInt64, to field: borrowing Atomic<UInt64>) {
    field.store(field.load(ordering: .relaxed) &+ time, ordering: .releasing)
  }

  /// A thread is about to wait inside the library. If it is a worker, in a callback, its time counts as
  /// `blocked` until `endBlocking`.
  public static func beginBlocking() -> State? {
    guard let meter = Pool.currentMeter else { return nil }
    return meter.pointee.enter(.blocked, at: Clock.now)
  }

  /// - Parameter before: what `beginBlocking` returned.
  public static func endBlocking(_ before: State?) {
    if let before, let meter = Pool.currentMeter { meter.pointee.enter(before, at: Clock.now) }
  }

  /// By the owner: so many calls were made, and took that much beside what was measured.
  @inline(__always)
  public func count(calls count: UInt64, untimed time: UInt64) {
    calls.store(calls.load(ordering: .relaxed) &+ count, ordering: .relaxed)
    untimed.store(untimed.load(ordering: .relaxed) &+ time, ordering: .relaxed)
  }

  /// By the owner: it was woken.
  func countWake() { wakes.store(wakes.load(ordering: .relaxed) &+ 1, ordering: .relaxed) }

  /// The seat is for threads of the host.
  func isForHostThreads() {
    isHostThread.store(true, ordering: .relaxed)
    enter(.idle, at: Clock.now)
  }

  public var statistics: WorkerStatistics {
    var result = WorkerStatistics()
    result.calls = calls.load(ordering: .relaxed)
    result.wakes = wakes.load(ordering: .relaxed)
    result.isHostThread = isHostThread.load(ordering: .relaxed)
    // The owner may have lost its CPU in the middle of a change: it gets this one.
    for round in 0..<100_000 {
      let before = version.load(ordering: .acquiring)
      let now = Clock.now
      let current = State(rawValue: state.load(ordering: .acquiring)) ?? .engine
      let start = since.load(ordering: .acquiring)
      result.engineNanoseconds = engine.load(ordering: .acquiring)
      result.busyNanoseconds = busy.load(ordering: .acquiring)
      result.blockedNanoseconds = blocked.load(ordering: .acquiring)
      result.idleNanoseconds = idle.load(ordering: .acquiring)
      let time = UInt64(clamping: now &- start)
      switch current {
      case .engine: result.engineNanoseconds &+= time
      case .busy: result.busyNanoseconds &+= time
      case .blocked: result.blockedNanoseconds &+= time
      case .idle: result.idleNanoseconds &+= time
      }
      result.wallNanoseconds = UInt64(clamping: max(now, start) &- begin)
      if before & 1 == 0 && version.load(ordering: .relaxed) == before { break }
      if round >= 100 { wpl_yield() }
    }
    let short = min(untimed.load(ordering: .relaxed), result.engineNanoseconds)
    result.busyNanoseconds &+= short
    result.engineNanoseconds &-= short
    return result
  }
}

/// What one worker of a pool has done since it began; the four times add up to `wallNanoseconds`.
public struct WorkerStatistics: Sendable {
  public var wallNanoseconds: UInt64 = 0
  /// In callbacks.
  public var busyNanoseconds: UInt64 = 0
  /// In waits of the library's inside callbacks.
  public var blockedNanoseconds: UInt64 = 0
  /// Between callbacks: carrying blocks, looking for work.
  public var engineNanoseconds: UInt64 = 0
  /// Asleep for want of work.
  public var idleNanoseconds: UInt64 = 0
  public var calls: UInt64 = 0
  public var wakes: UInt64 = 0
  /// The seat is for threads of the host that work along.
  public var isHostThread = false

  public init() {}
}
