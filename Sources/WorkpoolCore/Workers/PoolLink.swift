// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// A pool as those see it who publish work on it millions of times a second: plain words, so that
/// looking whether somebody sleeps touches no reference count. The pool must live longer.
public struct PoolLink: @unchecked Sendable {
  private let pool: Unmanaged<Pool>?
  private let shared: UnsafeMutablePointer<Pool.Shared>?
  private let group: UnsafeMutablePointer<WorkGroup>?
  private let forkGeneration: UInt32

  /// Whether threads of the host may be workers.
  public let hasHostSeats: Bool
  /// How many further workers there may be while others block.
  public let extraCount: Int
  private let firstExtra: Int

  /// - Parameters:
  ///   - pool: nil: nobody is there to be woken.
  ///   - group: of those who publish work through this link.
  public init(_ pool: Pool?, group: UnsafeMutablePointer<WorkGroup>? = nil) {
    self.pool = pool.map { Unmanaged.passUnretained($0) }
    shared = pool?.shared
    forkGeneration = wpl_fork_generation()
    self.group = pool == nil ? nil : group
    hasHostSeats = pool.map { !$0.hostSeats.isEmpty } ?? false
    extraCount = pool?.extraSeats.count ?? 0
    firstExtra = pool?.extraSeats.lowerBound ?? 0
  }

  /// What a child process inherits is the parent's: it must touch nothing.
  public var isOfThisProcess: Bool { forkGeneration == wpl_fork_generation() }

  /// After work was made visible by a sequentially consistent read-modify-write: wakes one worker if
  /// some are parked and none is searching.
  @inline(__always)
  public func workAppeared() {
    schedulePoint()
    guard let word = shared?.pointee.word.load(ordering: .sequentiallyConsistent) else { return }
    if word < Pool.oneSearching && (word != 0 || hasSleepers) { wakeOne() }
  }

  /// After work was made visible for which nobody shall be woken: a sentinel will see to it that it
  /// is not forgotten.
  @inline(__always)
  public func workAppearedQuietly() {
    schedulePoint()
    guard let shared, !shared.pointee.hasSentinel.load(ordering: .relaxed) else { return }
    if shared.pointee.word.load(ordering: .sequentiallyConsistent) & 0xffff_ffff != 0
      || hasSleepers && group?.pointee.hasSentinel.load(ordering: .relaxed) == false
    {
      appointSentinel()
    }
  }

  /// Whether helpers of the group sleep; after the work was made visible, as for the word.
  @inline(__always)
  private var hasSleepers: Bool {
    guard let group else { return false }
    return group.pointee.sleeping.load(ordering: .sequentiallyConsistent) != 0
  }

  /// How many sources are attached: a worker shares its time when there are several. More than that, also
  /// while a worker shall come out for another reason.
  @inline(__always)
  public var sourceCount: Int { shared?.pointee.sourceCount.load(ordering: .relaxed) ?? 0 }

  /// Whether there shall be no worker on this seat any more. Only while `sourceCount` is above 1 one
  /// can be inside a source.
  public func isSurplus(seat: Int) -> Bool {
    guard let shared else { return false }
    if seat >= firstExtra { return shared.pointee.surplusExtras.load(ordering: .relaxed) > 0 }
    return seat >= shared.pointee.openSeats.load(ordering: .relaxed)
  }

  /// Until when the calling worker, inside a source, shall stay there while others want it too.
  @inline(never)
  public func sliceEnd(ofSeat seat: Int) -> Int64 {
    guard let pool else { return .max }
    let seats = pool.takeUnretainedValue().seats
    let end = seats[seat].sliceEnd.load(ordering: .relaxed)
    if end != 0 { return end }
    // Then it was the only one when it came.
    let fromNow = Clock.now + FairShares.slice
    seats[seat].sliceEnd.store(fromNow, ordering: .relaxed)
    return fromNow
  }

  /// Workers there are at present.
  public var workerCount: Int { shared?.pointee.workers.load(ordering: .relaxed) ?? 1 }

  /// Whether workers may spin for a moment before they sleep: only with a CPU for each of them.
  public var maySpin: Bool {
    guard let shared else { return false }
    return 2...max(2, shared.pointee.usableCPUs) ~= workerCount && shared.pointee.usableCPUs > 1
  }

  public var timer: PoolTimer? { pool?.takeUnretainedValue().timer }

  /// Wakes so far, for the statistics.
  public var wakes: UInt64 { shared?.pointee.wakes.load(ordering: .relaxed) ?? 0 }

  /// Where the time of a worker goes; nil without a pool.
  public func meter(ofWorker index: Int) -> UnsafeMutablePointer<WorkerMeter>? {
    pool.map { $0.takeUnretainedValue().meters + index }
  }

  /// A number for a run, from 1.
  public func nextRun() -> UInt64 {
    shared?.pointee.runs.wrappingAdd(1, ordering: .relaxed).newValue ?? 1
  }

  @inline(never)
  private func wakeOne() { pool?.takeUnretainedValue().wakeOne(for: group) }

  @inline(never)
  private func appointSentinel() { pool?.takeUnretainedValue().appointSentinel() }

  /// By the last searcher, which has found work in one of several sources: those who published work
  /// elsewhere while it searched have woken nobody.
  @inline(never)
  public func wakeForOtherWork() { pool?.takeUnretainedValue().wakeForOtherWork() }

  // MARK: Searching, for a worker that is inside a source

  /// The calling worker has no work and is going to look for some.
  public func beginSearch() {
    shared?.pointee.word.wrappingAdd(Pool.oneSearching, ordering: .sequentiallyConsistent)
  }

  /// The calling worker, a searcher, has found work.
  /// - Returns: whether it was the last searcher and must look whether there is more.
  public func endSearch() -> Bool {
    guard let shared else { return false }
    let old = shared.pointee.word.wrappingSubtract(
      Pool.oneSearching, ordering: .sequentiallyConsistent
    ).oldValue
    return old >> 32 == 1
  }

  /// Whether no other worker is searching: then this one may spin for a moment.
  public var isOnlySearcher: Bool {
    guard let shared else { return false }
    return shared.pointee.word.load(ordering: .relaxed) >> 32 == 1
  }

  // MARK: Callbacks that may block, see BlockingCalls.swift

  /// The worker on this seat, inside a source, is going to call one: somebody else goes on with what there
  /// is to be done.
  @inline(never)
  public func beginBlockingCall(seat: Int) {
    guard let shared else { return }
    if extraCount > 0 { pool?.takeUnretainedValue().beginBlockingCall(seat) }
    schedulePoint()
    let word = shared.pointee.word.load(ordering: .sequentiallyConsistent)
    if word < Pool.oneSearching && (word != 0 || hasSleepers) { wakeForOtherWork() }
  }

  @inline(never)
  public func endBlockingCall(seat: Int) {
    if extraCount > 0 { pool?.takeUnretainedValue().endBlockingCall(seat) }
  }

  // MARK: Sources

  @inline(never)
  public func attach(_ source: UnsafeMutablePointer<WorkSource>) {
    pool?.takeUnretainedValue().attach(source)
  }

  /// From now on no worker enters the source; those inside leave by themselves.
  @inline(never)
  public func detach(_ source: UnsafeMutablePointer<WorkSource>) {
    pool?.takeUnretainedValue().detach(source)
  }

  /// Waits until no worker is inside a detached source.
  @inline(never)
  public func waitUntilLeft(_ source: UnsafeMutablePointer<WorkSource>) {
    pool?.takeUnretainedValue().waitUntilLeft(source)
  }

  // MARK: Waiting, see Helping

  /// The innermost callback of the calling thread is going to wait for the group: gives away what others
  /// could go on with.
  /// - Returns: false if the wait could never end.
  @inline(never)
  public static func beginWait(for group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    guard let frame = StackFrame.current else { return true }
    return WaitGraph.begin(frame, for: group)
  }

  /// After `beginWait`, without a lock.
  @inline(never)
  public static func suspendCallback() {
    guard let frame = StackFrame.current, let source = frame.pointee.source else { return }
    source.pointee.suspend?(source.pointee.context, frame.pointee.seat)
  }

  @inline(never)
  public static func endWait() {
    guard let frame = StackFrame.current else { return }
    WaitGraph.end(frame)
    guard let source = frame.pointee.source else { return }
    source.pointee.resume?(source.pointee.context, frame.pointee.seat)
  }

  /// Whether a callback waits for the group.
  public static func isAwaited(_ group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    WaitGraph.waits(for: group)
  }

  /// Whether the calling thread is in a callback.
  public static var isInCallback: Bool { StackFrame.current != nil }

  /// The seat with which the calling thread may help.
  @inline(never)
  public var ownSeat: Int32? { pool?.takeUnretainedValue().ownSeat() }

  @inline(never)
  public func takeSeat() -> Int32? { pool?.takeUnretainedValue().takeSeat() }

  @inline(never)
  public func giveSeat(_ seat: Int32) { pool?.takeUnretainedValue().giveSeat(seat) }

  /// Works for the group of this link, or sleeps, see `Pool.help`.
  @inline(never)
  public func help(seat: Int32, calls: UInt64, deadline: Int64?) {
    guard let group else { return }
    pool?.takeUnretainedValue().help(
      group, seat: seat, HelpLimits(calls: calls, deadline: deadline ?? -1))
  }

  @inline(never)
  public func callHelpers() {
    if let group { pool?.takeUnretainedValue().callHelpers(of: group) }
  }

  @inline(never)
  public func passOn() {
    if let group { pool?.takeUnretainedValue().passOn(group) }
  }
}
