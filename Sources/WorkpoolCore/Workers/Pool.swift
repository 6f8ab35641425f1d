// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// Worker threads, shared by everything that is attached to it. Their number may change, see
/// `setWorkers`.
///
/// Who looks for work gets it from the group that has had least worker time for its weight, see
/// `FairShares`.
///
/// ## Sleeping and waking
///
/// One word counts the workers that are *parked* (asleep, or about to be) and those that are
/// *searching* (awake without work: they are going to look at every source). A wake moves a worker
/// from parked to searching at once, on its behalf, so that nobody wakes a second one meanwhile.
///
/// - *Publish* (`PoolLink.workAppeared`): the work is made visible by a sequentially consistent
///   read-modify-write (P1); then the word is read (P2). Only if somebody is parked and nobody
///   is searching, one worker is woken.
/// - *Park*: one read-modify-write moves the worker from searching to parked (S1); then it looks at
///   every source once more (S2); only then it sleeps.
///
/// No wake-up is lost: P1, P2, S1, S2 lie in one total order. If S1 comes before P2, the publisher
/// sees the parked worker and wakes it, unless somebody else is searching. If P2 comes before S1,
/// then P1 comes before S2 and the parking worker sees the work. A searcher that kept the publisher
/// from waking either finds the work or parks, and then its own S2 comes after P1. A searcher that
/// finds work and was the last one looks again and wakes one more (`PoolLink.endSearch`), because for what was
/// published while it searched nobody was woken.
///
/// Who parks, who is woken and which sources exist is decided under one lock; each of these stands
/// beside a system call anyway. Between them a worker stays inside a source and touches nothing of
/// the pool.
///
/// The *sentinel* is one parked worker that looks every millisecond whether work for which nobody
/// was woken has stopped moving. It exists only while a source asks for it. Who publishes such work
/// makes it visible and then looks for a sentinel (`hasSentinel`) or somebody parked, all without a
/// barrier. So a sentinel that is not needed first takes the flag down and looks once more a
/// millisecond later, and so does a worker that parks while another one is inside a source: whoever
/// saw the flag or nobody parked has made its work visible by then.
///
/// ## Helpers
///
/// A thread that waits for something of one group works for that group meanwhile (`Helping`): a
/// worker in a callback with its own seat, a thread of the host with a seat of `hostSeats`. It looks
/// at nothing else, so nobody relies on it: it is never a searcher, and asleep it is not counted as
/// parked but in `sleeping` of its group. The protocol is the one above, for that group alone:
///
/// - *Publish*: after P1 and P2, if nobody is parked and nobody is searching, `sleeping` is read (P3).
/// - *Sleep*: one read-modify-write raises `sleeping` (H1), then the helper looks at its group once more
///   (H2), then it sleeps. Whoever wakes it lowers `sleeping` on its behalf.
///
/// If H1 comes before P3 the publisher sees the sleeper and wakes it; otherwise P1 comes before H2 and
/// the helper sees the work. Where somebody is parked that one or a helper is woken, and a searcher looks
/// at everything, as before. Who wakes for a group takes a helper of that group, if it has work, else
/// a parked worker, so every call meets somebody who can do the work. A helper that was woken may find
/// that its wait is over and go: then it wakes somebody else if the group has work (`passOn`).
/// The last searcher's second look finds what was published in any group: it wakes a helper of each
/// group that has work and one asleep, for no other one may be there who does that work, and a parked
/// worker if groups without a sleeper have work, who then looks at everything himself.
///
/// A helper wakes up for the end of its wait too (`callHelpers`): see `RunWait`.
///
/// When nobody is parked, a sleeping helper is the sentinel of its own group (`hasSentinel` there).
///
/// Threads of the host on a seat until further notice (`runWorker`) are workers like all others. While
/// one of them has a token, workers come out of a source every millisecond, as if there were
/// several; asleep it looks at its token every 100 ms, for a signal handler wakes nobody.
///
/// A worker that there shall be no longer rests: see `setWorkers`. So do the further workers that there are
/// for as long as others sit in callbacks that block: see `BlockingCalls.swift`.
public final class Pool: @unchecked Sendable {
  public struct Options {
    /// 0: `Pool.usableCPUs`.
    public var workers = 0
    /// Bytes; 0: the system's default.
    public var stackSize = 0
    public var namePrefix = "wp"
    public var allowsFewerWorkers = false
    /// How many of the workers have no thread of their own: threads of the host that wait for a
    /// pipeline take these seats meanwhile.
    public var hostWorkers = 0
    /// Up to so many workers `setWorkers` may ask for; 0: `workers`. Runs have room for so many.
    public var maxWorkers = 0
    /// Up to so many further workers work while others sit in callbacks that may block.
    public var blockingExtra = 0
    public var hooks = Hooks()
    public init() {}
  }

  /// Called on every worker thread when it begins and before it ends.
  public struct Hooks {
    public typealias Hook = @convention(c) (UnsafeMutableRawPointer?, UInt32) -> Void
    public var threadStart: Hook?
    public var threadStop: Hook?
    public var context: UnsafeMutableRawPointer?
    public var destroyContext: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    public init() {}
  }

  public static let mostWorkers = 1024

  /// CPUs this process may use: affinity mask ∩ cgroup quota, at least 1.
  public static var usableCPUs: Int { Int(wpl_usable_cpus()) }

  struct Seat: ~Copyable {
    var parker = Parker()
    var index: Int32
    unowned(unsafe) let pool: Pool
    var thread: OpaquePointer?
    /// Under the lock.
    var duty = Duty.none
    /// Under the lock: in the list of parked workers.
    var isParked = false
    /// Under the lock: a thread of the host sits there; and it shall go.
    var isTaken = false
    var mustLeave = false
    /// Under the lock: there are fewer workers now; its thread sleeps and does not count as parked.
    var isResting = false
    /// Under the lock: in a callback that may block.
    var isBlocked = false
    /// Of the worker alone: until when it shall stay in the source it is in; 0: nobody else wants it.
    let sliceEnd = Atomic<Int64>(0)

    init(index: Int32, pool: Pool) {
      self.index = index
      self.pool = pool
    }
  }

  enum Duty {
    case none
    /// Asleep with a timeout, for the sake of work nobody was woken for.
    case sentinel
    /// The same for the last time, unless it is needed again.
    case relieved
  }

  /// What threads share without the lock, on lines of its own.
  struct Shared: ~Copyable {
    let word = Atomic<UInt64>(0)
    let wakes = Atomic<UInt64>(0)
    let hasSentinel = Atomic<Bool>(false)
    let sourceCount = Atomic<Int>(0)
    /// Runs so far.
    let runs = Atomic<UInt64>(0)
    /// Workers there are, and the seats they may work on; written under the lock.
    let workers = Atomic<Int>(0)
    let openSeats = Atomic<Int>(0)
    /// Further workers that shall rest as soon as they can; written under the lock.
    let surplusExtras = Atomic<Int>(0)
    let usableCPUs = Pool.usableCPUs
  }
  static let oneParked: UInt64 = 1
  static let oneSearching: UInt64 = 1 << 32
  static let sentinelTick: Int64 = 1_000_000
  /// Added to the number of sources while a worker shall come out of them now and then.
  static let oneLooking = 1 << 32
  /// So often a thread looks at a token that a signal handler may set.
  private static let tokenTick: Int64 = 100_000_000

  /// Workers there are at present; with `allowsFewerWorkers` maybe fewer than asked for.
  public var workerCount: Int { shared.pointee.workers.load(ordering: .relaxed) }
  /// Seats there are, for the largest number of workers and the further ones; workers have indices below
  /// that.
  public let seatCount: Int
  /// The seats of further workers, the last ones.
  public let extraSeats: Range<Int>
  /// Those without a thread of their own.
  let hostSeats: Range<Int>
  public let forkGeneration: UInt32
  private let hooks: Hooks
  private let namePrefix: String
  private let stackSize: Int
  let seats: UnsafeMutablePointer<Seat>
  let meters: UnsafeMutablePointer<WorkerMeter>
  let shared: UnsafeMutablePointer<Shared>
  let monitor: Monitor
  /// Its thread begins with the first entry and ends with the pool.
  public let timer: PoolTimer

  // Under the lock.
  var firstSource: UnsafeMutablePointer<WorkSource>?
  var firstSleeper: UnsafeMutablePointer<Sleeper>?
  private(set) var isClosing = false
  /// Somebody creates threads for `setWorkers`; workers that shall rest are not resting yet.
  var isChanging = false
  var isDraining = false
  /// Workers that sit in callbacks that may block, and further workers that neither do that nor rest.
  var blockedWorkers = 0
  var extrasAwake = 0
  private var users = 0
  private var shares = FairShares()
  private var groupCount = 0

  public init(_ options: Options = Options()) throws(WorkpoolError) {
    let wanted = options.workers == 0 ? Self.usableCPUs : options.workers
    guard 1...Self.mostWorkers ~= wanted else {
      throw WorkpoolError(.invalidArgument, "a pool has 1 to 1024 workers")
    }
    guard 0...wanted ~= options.hostWorkers else {
      throw WorkpoolError(
        .invalidArgument, "hostWorkers must be 0 to \(wanted), as many as workers")
    }
    let most = options.maxWorkers == 0 ? wanted : options.maxWorkers
    guard wanted...Self.mostWorkers ~= most else {
      throw WorkpoolError(.invalidArgument, "maxWorkers must be \(wanted) to 1024")
    }
    guard 0...Self.mostWorkers ~= options.blockingExtra else {
      throw WorkpoolError(.invalidArgument, "blockingExtra must be 0 to 1024")
    }
    let own = wanted - options.hostWorkers
    let count = most + options.blockingExtra
    wpl_watch_forks()
    let monitor = try Monitor()
    do throws(WorkpoolError) {
      timer = try PoolTimer(name: options.namePrefix + "-timer")
    } catch {
      monitor.destroy()
      throw error
    }
    // Room at the end keeps other allocations off the line of the shared words.
    let seatMemory = wpl_allocate_aligned(128, MemoryLayout<Seat>.stride * count)
    let sharedMemory = wpl_allocate_aligned(128, MemoryLayout<Shared>.stride + 128)
    let meterMemory = wpl_allocate_aligned(128, MemoryLayout<WorkerMeter>.stride * count)
    guard let seatMemory, let sharedMemory, let meterMemory else {
      wpl_free(seatMemory)
      wpl_free(sharedMemory)
      wpl_free(meterMemory)
      monitor.destroy()
      throw WorkpoolError(.noMemory, "no memory for \(count) workers")
    }
    self.monitor = monitor
    seats = seatMemory.bindMemory(to: Seat.self, capacity: count)
    shared = sharedMemory.bindMemory(to: Shared.self, capacity: 1)
    meters = meterMemory.bindMemory(to: WorkerMeter.self, capacity: count)
    shared.initialize(to: Shared())
    hooks = options.hooks
    forkGeneration = wpl_fork_generation()
    namePrefix = options.namePrefix
    stackSize = options.stackSize

    // Every thread begins as a searcher.
    var started = 0
    seatCount = count
    extraSeats = most..<count
    hostSeats = own..<wanted
    shared.pointee.word.store(UInt64(own) * Self.oneSearching, ordering: .relaxed)
    shared.pointee.workers.store(wanted, ordering: .relaxed)
    shared.pointee.openSeats.store(wanted, ordering: .relaxed)
    for index in 0..<count {
      (seats + index).initialize(to: Seat(index: Int32(index), pool: self))
      (meters + index).initialize(to: WorkerMeter())
      if hostSeats.contains(index) { meters[index].isForHostThreads() }
      if index >= wanted { meters[index].enter(.idle, at: Clock.now) }
      seats[index].isResting = extraSeats.contains(index)
    }
    while started < own, let thread = createThread(started) {
      seats[started].thread = thread
      started += 1
    }
    if started < own {
      shared.pointee.word.wrappingSubtract(
        UInt64(own - started) * Self.oneSearching, ordering: .sequentiallyConsistent)
      guard started + hostSeats.count > 0 && options.allowsFewerWorkers else {
        joinAll()
        free()
        throw WorkpoolError(.noThread, "thread \(started + 1) of \(own) could not be created")
      }
      shared.pointee.workers.store(started + hostSeats.count, ordering: .relaxed)
      if hostSeats.isEmpty { shared.pointee.openSeats.store(started, ordering: .relaxed) }
    }
    for index in extraSeats {
      if let thread = createThread(index) {
        seats[index].thread = thread
      } else if !options.allowsFewerWorkers {
        joinAll()
        free()
        throw WorkpoolError(
          .noThread, "the thread of further worker \(index - most + 1) could not be created")
      }
    }
    // The threads keep the pool until `close`: one that nobody closes sleeps on, and hurts nobody.
    _ = Unmanaged.passRetained(self)
  }

  /// The thread of a seat that has none yet.
  /// - Returns: nil if the system has none.
  func createThread(_ index: Int) -> OpaquePointer? {
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { seat in
      guard let seat else { return }
      let typed = seat.assumingMemoryBound(to: Seat.self)
      typed.pointee.pool.live(typed)
    }
    return wpl_thread_create("\(namePrefix)-\(index)", stackSize, body, seats + index)
  }

  /// Bytes allocated for the workers, without their stacks, which the system gives and takes.
  public var memory: Int {
    (MemoryLayout<Seat>.stride + MemoryLayout<WorkerMeter>.stride) * seatCount
      + MemoryLayout<Shared>.stride + 128
  }

  /// Ends and joins the threads, once; afterwards the pool must not be used.
  /// - Throws: `busy` while a pipeline or graph uses the pool, and on one of its own workers.
  public func close() throws(WorkpoolError) {
    if ownSeat() != nil {
      throw WorkpoolError(.busy, "a worker cannot close its own pool")
    }
    guard !PoolTimer.isOnThisThread else {
      throw WorkpoolError(.busy, "what happens by the clock cannot close a pool")
    }
    monitor.lock()
    guard users == 0 else {
      monitor.unlock()
      throw WorkpoolError(.busy, "the pool is still in use")
    }
    // Without users only those sit on these seats who are workers until the pool closes.
    isClosing = true
    for index in hostSeats where seats[index].isTaken { Parker.signal(parker(index)) }
    while hostSeats.contains(where: { seats[$0].isTaken }) { monitor.wait() }
    monitor.unlock()
    timer.close()
    joinAll()
    free()
    hooks.destroyContext?(hooks.context)
    Unmanaged.passUnretained(self).release()
  }

  private func joinAll() {
    monitor.lock()
    isClosing = true
    monitor.unlock()
    for index in 0..<seatCount { Parker.signal(parker(index)) }
    for index in 0..<seatCount {
      if let thread = seats[index].thread { wpl_thread_join(thread) }
    }
  }

  private func free() {
    seats.deinitialize(count: seatCount)
    wpl_free(seats)
    wpl_free(meters)
    wpl_free(shared)
    monitor.destroy()
  }

  /// A pipeline or graph that will run here exists; `release` when it is gone.
  public func retain() {
    monitor.lock()
    users += 1
    monitor.unlock()
  }
  public func release() {
    monitor.lock()
    users -= 1
    monitor.unlock()
  }

  /// The worker that the calling thread is, of any pool; nil on other threads.
  public static var currentWorker: Int32? {
    wpl_thread_worker()?.assumingMemoryBound(to: Seat.self).pointee.index
  }

  // MARK: Where time goes

  /// What a worker has done since it began. Takes no lock.
  ///
  /// - Throws: `invalidArgument` if there is no such worker.
  public func statistics(ofWorker index: Int) throws(WorkpoolError) -> WorkerStatistics {
    guard 0..<seatCount ~= index else {
      throw WorkpoolError(.invalidArgument, "there is no worker \(index)")
    }
    return meters[index].statistics
  }

  /// The meter of the worker that the calling thread is, of any pool.
  public static var currentMeter: UnsafeMutablePointer<WorkerMeter>? {
    guard let seat = wpl_thread_worker()?.assumingMemoryBound(to: Seat.self) else { return nil }
    return seat.pointee.pool.meters + Int(seat.pointee.index)
  }

  // MARK: Sources

  public func attach(_ source: UnsafeMutablePointer<WorkSource>) {
    monitor.lock()
    source.pointee.next = firstSource
    source.pointee.isAttached = true
    firstSource = source
    shared.pointee.sourceCount.wrappingAdd(1, ordering: .relaxed)
    let group = source.pointee.group
    group.pointee.attachedSources += 1
    if group.pointee.attachedSources == 1 {
      groupCount += 1
      group.pointee.account.isResting = true
      // From now on time counts: there is somebody to share it with.
      if groupCount == 2 { restartAccounts() }
    }
    monitor.unlock()
  }

  /// From now on no worker enters the source; those inside leave by themselves.
  public func detach(_ source: UnsafeMutablePointer<WorkSource>) {
    monitor.lock()
    if source.pointee.isAttached {
      source.pointee.isAttached = false
      shared.pointee.sourceCount.wrappingSubtract(1, ordering: .relaxed)
      // As in Helping and StackFrame, and not by a protocol of all three: to the thread sanitizer that
      // would be a change of the whole struct.
      if firstSource == source {
        firstSource = source.pointee.next
      } else {
        var before = firstSource
        while let here = before, here.pointee.next != source { before = here.pointee.next }
        before?.pointee.next = source.pointee.next
      }
      // In two steps: in one, Swift 6.3 makes no valid code for the thread sanitizer.
      let group = source.pointee.group
      group.pointee.attachedSources -= 1
      if group.pointee.attachedSources == 0 { groupCount -= 1 }
    }
    monitor.unlock()
  }

  private func restartAccounts() {
    let now = Clock.now
    var here = firstSource
    while let source = here {
      let group = source.pointee.group
      group.pointee.account.restart(now)
      here = source.pointee.next
    }
  }

  /// Waits until no worker is inside a detached source.
  public func waitUntilLeft(_ source: UnsafeMutablePointer<WorkSource>) {
    monitor.lock()
    while source.pointee.workersInside > 0 { monitor.wait() }
    monitor.unlock()
  }

  /// What the workers and everything attached are doing, as lines of text. Any thread may ask.
  public func dump() -> String {
    let word = shared.pointee.word.load(ordering: .relaxed)
    var text =
      "pool of \(workerCount): \(word & 0xffff_ffff) asleep, \(word >> 32) looking for work\n"
    var seen: [UnsafeMutablePointer<WorkSource>] = []
    monitor.lock()
    let all = 0..<seatCount
    let resting = all.filter { seats[$0].isResting && $0 < extraSeats.lowerBound }
    let blocked = all.filter { seats[$0].isBlocked }
    let further = extraSeats.filter { seats[$0].isResting && seats[$0].thread != nil }
    monitor.unlock()
    text += Self.line(resting, "at rest, there are fewer workers now")
    text += Self.line(blocked, "in callbacks that may block")
    text += Self.line(further, "at rest until others are in callbacks that may block")
    monitor.lock()
    while let source = firstSource(notIn: seen) {
      seen.append(source)
      // As a worker would: it stays until this one has left.
      source.pointee.workersInside += 1
      monitor.unlock()
      text += source.pointee.dump(source.pointee.context)
      monitor.lock()
      source.pointee.workersInside -= 1
      if !source.pointee.isAttached && source.pointee.workersInside == 0 { monitor.wakeAll() }
    }
    monitor.unlock()
    return text
  }

  /// `  workers 2-3, 5: at rest`; nothing without workers.
  private static func line(_ workers: [Int], _ state: String) -> String {
    var words = ""
    for (place, worker) in workers.enumerated() {
      let isBehind = place > 0 && workers[place - 1] == worker - 1
      let goesOn = place + 1 < workers.count && workers[place + 1] == worker + 1
      if isBehind && goesOn { continue }
      words += place == 0 ? "" : isBehind ? "-" : ", "
      words += "\(worker)"
    }
    return words.isEmpty ? "" : "  worker\(workers.count == 1 ? "" : "s") \(words): \(state)\n"
  }

  private func firstSource(
    notIn seen: [UnsafeMutablePointer<WorkSource>]
  ) -> UnsafeMutablePointer<WorkSource>? {
    var here = firstSource
    while let source = here, seen.contains(source) { here = source.pointee.next }
    return here
  }

  // MARK: Publishing

  /// By the last searcher, which has found work in one of several sources: those who published work
  /// elsewhere while it searched have woken nobody.
  func wakeForOtherWork() {
    monitor.lock()
    let word = shared.pointee.word.load(ordering: .relaxed)
    guard word < Self.oneSearching else { return monitor.unlock() }
    var woken: UInt64 = 0
    var isMoreLeft = false
    var here = firstSource
    while let source = here {
      here = source.pointee.next
      guard source.pointee.hasWork(source.pointee.context) else { continue }
      if let sleeper = firstSleeper(of: source.pointee.group) {
        call(sleeper)
        woken += 1
      } else {
        isMoreLeft = true
      }
    }
    let index = isMoreLeft && word >= Self.oneParked ? firstParked() : nil
    if let index {
      unpark(index)
      woken += 1
    }
    monitor.unlock()
    if woken > 0 { shared.pointee.wakes.wrappingAdd(woken, ordering: .relaxed) }
    if let index { Parker.signal(parker(index)) }
  }

  /// With the lock held: a helper of the group that could work.
  private func firstSleeper(
    of group: UnsafeMutablePointer<WorkGroup>
  ) -> UnsafeMutablePointer<Sleeper>? {
    guard group.pointee.sleeping.load(ordering: .relaxed) > 0 else { return nil }
    var here = firstSleeper
    while let sleeper = here, sleeper.pointee.group != group || sleeper.pointee.seat < 0 {
      here = sleeper.pointee.next
    }
    return here
  }

  /// Wakes somebody for work in the group (nil: in any), unless a searcher is going to look: a sleeping
  /// helper of that group, who can do nothing else, or a parked worker.
  func wakeOne(for group: UnsafeMutablePointer<WorkGroup>?) {
    monitor.lock()
    let word = shared.pointee.word.load(ordering: .relaxed)
    guard word < Self.oneSearching else { return monitor.unlock() }
    if let group, let sleeper = firstSleeper(of: group), sourceWithWork(of: group) != nil {
      call(sleeper)
      monitor.unlock()
      shared.pointee.wakes.wrappingAdd(1, ordering: .relaxed)
      return
    }
    guard word >= Self.oneParked, let index = firstParked() else { return monitor.unlock() }
    schedulePoint()
    unpark(index)
    monitor.unlock()
    shared.pointee.wakes.wrappingAdd(1, ordering: .relaxed)
    Parker.signal(parker(index))
  }

  func appointSentinel() {
    monitor.lock()
    handOverDuty()
    monitor.unlock()
  }

  /// With the lock held: sees to it that somebody is sentinel, if there is somebody.
  func handOverDuty() {
    if shared.pointee.hasSentinel.load(ordering: .relaxed) { return }
    guard let index = firstParked() else { return appointSleepers() }
    shared.pointee.hasSentinel.store(true, ordering: .relaxed)
    seats[index].duty = .sentinel
    Parker.signal(parker(index))  // still parked: it sleeps on, but with a timeout
  }

  /// The calling thread, a searcher, is none any more.
  func stopSearching() {
    if PoolLink(self).endSearch() { wakeForOtherWork() }
  }

  /// With the lock held: a parked worker; the sentinel is woken last.
  func firstParked() -> Int? {
    var sentinel: Int?
    for index in 0..<seatCount where seats[index].isParked {
      if seats[index].duty == .none { return index }
      sentinel = index
    }
    return sentinel
  }

  /// With the lock held: moves a worker from parked to searching.
  func unpark(_ index: Int) {
    seats[index].isParked = false
    if seats[index].duty == .sentinel {
      shared.pointee.hasSentinel.store(false, ordering: .relaxed)
    }
    seats[index].duty = .none
    shared.pointee.word.wrappingAdd(
      Self.oneSearching &- Self.oneParked, ordering: .sequentiallyConsistent)
  }

  func parker(_ index: Int) -> UnsafeMutablePointer<Parker> {
    // The parker is the first field of a seat.
    UnsafeMutableRawPointer(seats + index).assumingMemoryBound(to: Parker.self)
  }

  func seatIndex(of worker: UnsafeMutableRawPointer) -> Int? {
    let first = UnsafeMutableRawPointer(seats)
    guard worker >= first && worker < UnsafeMutableRawPointer(seats + seatCount) else {
      return nil
    }
    return (worker - first) / MemoryLayout<Seat>.stride
  }

  // MARK: The life of a worker

  private func live(_ seat: UnsafeMutablePointer<Seat>) {
    wpl_set_thread_worker(seat)
    meters[Int(seat.pointee.index)].enter(.engine, at: Clock.now)
    hooks.threadStart?(hooks.context, UInt32(seat.pointee.index))
    monitor.lock()
    serve(seat, nil)
    monitor.unlock()
    hooks.threadStop?(hooks.context, UInt32(seat.pointee.index))
    wpl_set_thread_worker(nil)
  }

  /// Makes the calling thread a worker on a seat without a thread of its own, until the token is
  /// cancelled or the pool closes.
  /// - Returns: `cancelled`, or `ok` when the pool closes.
  /// - Throws: `busy` if no seat is free, `wouldDeadlock` in a callback.
  public func runWorker(until token: Token? = nil) throws(WorkpoolError) -> Status {
    guard StackFrame.current == nil && ownSeat() == nil && !PoolTimer.isOnThisThread else {
      throw WorkpoolError(.wouldDeadlock, "a callback cannot make its thread a worker")
    }
    monitor.lock()
    guard !isClosing, let index = freeSeat() else {
      monitor.unlock()
      throw WorkpoolError(.busy, "no seat without a thread is free")
    }
    let seat = seats + Int(index)
    seat.pointee.mustLeave = false
    monitor.unlock()
    PoolLink(self).beginSearch()
    if let token {
      shared.pointee.sourceCount.wrappingAdd(Self.oneLooking, ordering: .relaxed)
      token.observe(seat) { context in
        let seat = context.assumingMemoryBound(to: Seat.self)
        seat.pointee.pool.dismiss(seat)
      }
    }
    let outer = wpl_thread_worker()
    wpl_set_thread_worker(seat)
    meters[Int(index)].enter(.engine, at: Clock.now)
    monitor.lock()
    serve(seat, token)
    let isCancelled = token?.isCancelled ?? false
    monitor.unlock()
    meters[Int(index)].enter(.idle, at: Clock.now)
    wpl_set_thread_worker(outer)
    if let token {
      token.forget(seat)
      shared.pointee.sourceCount.wrappingSubtract(Self.oneLooking, ordering: .relaxed)
    }
    stopSearching()
    giveSeat(index)
    return isCancelled ? .cancelled : .ok
  }

  /// The thread of the host on this seat shall go.
  private func dismiss(_ seat: UnsafeMutablePointer<Seat>) {
    monitor.lock()
    seat.pointee.mustLeave = true
    if seat.pointee.isParked { unpark(Int(seat.pointee.index)) }
    if seat.pointee.isResting { rouse(Int(seat.pointee.index)) }
    monitor.unlock()
    Parker.signal(parker(Int(seat.pointee.index)))
  }

  /// With the lock held, by a searcher: works, until the pool closes or the thread is to go; then it is
  /// a searcher still.
  private func serve(_ seat: UnsafeMutablePointer<Seat>, _ token: Token?) {
    let index = seat.pointee.index
    var lastSource: UnsafeMutablePointer<WorkSource>?
    search: while !isClosing && !seat.pointee.mustLeave {
      if let token, token.isCancelled { break }
      if !seat.pointee.isResting && !isOpen(Int(index)) { rest(seat) }
      // Or parked by somebody else, before it was asleep: see `parkExtra`.
      if seat.pointee.isResting || seat.pointee.isParked {
        sleep(seat, token)
        continue search
      }
      if let source = nextSource(for: seat, after: lastSource) {
        lastSource = source
        enter(source)
        monitor.unlock()
        // The source ends the search when it gives out work.
        let isSearching = work(in: source, index, isSearching: true, nil)
        if !isSearching { PoolLink(self).beginSearch() }
        monitor.lock()
        if !leave(source) { lastSource = nil }
        continue search
      }

      // S1, S2 of the essay above.
      schedulePoint()
      seat.pointee.isParked = true
      shared.pointee.word.wrappingAdd(
        Self.oneParked &- Self.oneSearching, ordering: .sequentiallyConsistent)
      if hasWork {
        unpark(Int(index))
        continue search
      }
      if wantsSentinel && !shared.pointee.hasSentinel.load(ordering: .relaxed) {
        shared.pointee.hasSentinel.store(true, ordering: .relaxed)
        seat.pointee.duty = .sentinel
      } else if isSomebodyInside {
        seat.pointee.duty = .relieved
      }
      sleep(seat, token)
    }
  }

  /// With the lock held: until somebody has made the worker, which is parked or rests, a searcher.
  private func sleep(_ seat: UnsafeMutablePointer<Seat>, _ token: Token?) {
    let index = Int(seat.pointee.index)
    let meter = meters + index
    while (seat.pointee.isParked || seat.pointee.isResting) && !isClosing {
      var deadline = seat.pointee.duty == .none ? -1 : Clock.now + Self.sentinelTick
      if token != nil && deadline < 0 { deadline = Clock.now + Self.tokenTick }
      monitor.unlock()
      meter.pointee.enter(.idle, at: Clock.now)
      let signalled = Parker.park(parker(index), until: deadline)
      meter.pointee.enter(.engine, at: Clock.now)
      monitor.lock()
      if signalled { meter.pointee.countWake() } else { tick(seat) }
      if let token, token.isCancelled { break }
    }
    // The pool closes, or the thread is to go: counted as every other one that comes out here.
    if seat.pointee.isParked { unpark(index) }
    if seat.pointee.isResting { rouse(index) }
  }

  /// Works in a source that this thread has entered.
  func work(
    in source: UnsafeMutablePointer<WorkSource>, _ seat: Int32, isSearching: Bool,
    _ terms: HelpTerms?
  ) -> Bool {
    let outer = wpl_thread_worker()
    wpl_set_thread_worker(seats + Int(seat))
    let meter = meters + Int(seat)
    // In a callback that waits, or on a thread of the host that helps: back to that afterwards.
    let state = meter.pointee.enter(.engine, at: Clock.now)
    defer { meter.pointee.enter(state, at: Clock.now) }
    let frame = StackFrame(
      group: source.pointee.group, source: source, pool: UnsafeRawPointer(shared), seat: seat)
    let result = StackFrame.with(frame) {
      if let terms, let help = source.pointee.help {
        help(source.pointee.context, seat, terms)
        return false
      }
      return source.pointee.work(source.pointee.context, seat, isSearching)
    }
    wpl_set_thread_worker(outer)
    return result
  }

  /// With the lock held: of the sources that have work one of the group whose turn it is, in the order
  /// of the ring behind `last`. `last` may be gone by now, so it is only compared.
  private func nextSource(
    for seat: UnsafeMutablePointer<Seat>, after last: UnsafeMutablePointer<WorkSource>?
  ) -> UnsafeMutablePointer<WorkSource>? {
    let isShared = groupCount > 1
    let now = isShared ? Clock.now : 0
    var best: UnsafeMutablePointer<WorkSource>?
    var busy: UnsafeMutablePointer<WorkGroup>?
    var bestIsBehindLast = false
    var isBehindLast = last == nil
    var weights: UInt64 = 0
    var here = firstSource
    while let source = here {
      if isShared {
        weights += UInt64(source.pointee.group.pointee.weight.load(ordering: .relaxed))
      }
      if source.pointee.hasWork(source.pointee.context) {
        let group = source.pointee.group
        if isShared {
          shares.update(
            &group.pointee.account, weight: group.pointee.weight.load(ordering: .relaxed), now: now)
        }
        if let chosen = best {
          let other = chosen.pointee.group
          let isSooner =
            isShared && shares.isBefore(group.pointee.account, other.pointee.account)
          let isLater =
            isShared && shares.isBefore(other.pointee.account, group.pointee.account)
          if isSooner || (!isLater && isBehindLast && !bestIsBehindLast) {
            best = source
            bestIsBehindLast = isBehindLast
          }
        } else {
          best = source
          bestIsBehindLast = isBehindLast
        }
      } else if isShared && source.pointee.workersInside > 0 {
        let group = source.pointee.group
        settle(group)
        let isSooner =
          busy.map { shares.isBefore(group.pointee.account, $0.pointee.account) } ?? true
        if isSooner { busy = group }
      }
      if source == last { isBehindLast = true }
      here = source.pointee.next
    }
    if isShared, let best {
      shares.weights = weights
      let account = best.pointee.group.pointee.account
      shares.serve(account)
      let end = shares.end(ofSliceFor: account, busy: busy?.pointee.account, now: now)
      seat.pointee.sliceEnd.store(end, ordering: .relaxed)
    } else {
      seat.pointee.sliceEnd.store(0, ordering: .relaxed)
    }
    return best
  }

  /// With the lock held: whether a source has work.
  private var hasWork: Bool {
    var here = firstSource
    while let source = here {
      if source.pointee.hasWork(source.pointee.context) { return true }
      here = source.pointee.next
    }
    return false
  }

  /// With the lock held: this thread is going to work there.
  func enter(_ source: UnsafeMutablePointer<WorkSource>) {
    let group = source.pointee.group
    if groupCount > 1 { settle(group) }
    source.pointee.workersInside += 1
    group.pointee.account.workerEnters()
  }

  /// With the lock held: this thread has worked there.
  /// - Returns: whether the source is still attached; if not, it may be gone at once.
  func leave(_ source: UnsafeMutablePointer<WorkSource>) -> Bool {
    let group = source.pointee.group
    if groupCount > 1 { settle(group) }
    group.pointee.account.workerLeaves()
    if group.pointee.account.workersInside == 0 && sourceWithWork(of: group) == nil {
      group.pointee.account.isResting = true
    }
    source.pointee.workersInside -= 1
    if source.pointee.isAttached { return true }
    if source.pointee.workersInside == 0 { monitor.wakeAll() }
    return false
  }

  private func settle(_ group: UnsafeMutablePointer<WorkGroup>) {
    shares.charge(
      &group.pointee.account, weight: group.pointee.weight.load(ordering: .relaxed), now: Clock.now)
  }

  /// With the lock held.
  func sourceWithWork(
    of group: UnsafeMutablePointer<WorkGroup>
  ) -> UnsafeMutablePointer<WorkSource>? {
    var here = firstSource
    while let source = here {
      if source.pointee.group == group && source.pointee.hasWork(source.pointee.context) {
        return source
      }
      here = source.pointee.next
    }
    return nil
  }

  var wantsSentinel: Bool {
    var here = firstSource
    while let source = here {
      if source.pointee.needsSentinel(source.pointee.context) { return true }
      here = source.pointee.next
    }
    return false
  }

  private var isSomebodyInside: Bool {
    var here = firstSource
    while let source = here {
      if source.pointee.workersInside > 0 { return true }
      here = source.pointee.next
    }
    return false
  }

  /// With the lock held, after a timeout: takes up stuck work, or goes off duty in two steps when
  /// nobody needs a sentinel.
  private func tick(_ seat: UnsafeMutablePointer<Seat>) {
    switch seat.pointee.duty {
    case .none:
      return
    case .sentinel:
      var here = firstSource
      while let source = here {
        if source.pointee.isStuck(source.pointee.context) {
          unpark(Int(seat.pointee.index))
          // Other work may lie still too.
          if wantsSentinel { handOverDuty() }
          return
        }
        here = source.pointee.next
      }
      if !wantsSentinel {
        shared.pointee.hasSentinel.store(false, ordering: .relaxed)
        seat.pointee.duty = .relieved
      }
    case .relieved:
      let isOnlyOne = !shared.pointee.hasSentinel.load(ordering: .relaxed)
      if isOnlyOne && wantsSentinel {
        shared.pointee.hasSentinel.store(true, ordering: .relaxed)
        seat.pointee.duty = .sentinel
      } else {
        seat.pointee.duty = .none
      }
    }
  }
}
