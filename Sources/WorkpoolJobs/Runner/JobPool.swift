// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// Runs jobs: drives a `Scheduler` and does what it says, on the workers of a pool.
///
/// The only lock guards the scheduler and the queues; what it decides is done after unlocking. Callbacks
/// run on workers (`CallbackWorkers`), detached work and time on the service thread (`JobService`),
/// completion callbacks on the dispatcher, clean-ups and questions on the clerk, subscribers each on a
/// thread of its own (`Courier`). All these begin when they are first needed.
public final class JobPool: @unchecked Sendable {
  public struct Options {
    public var scheduling = Scheduler.Options()
    /// Nanoseconds after which a completion callback is reported and waited for no longer; nil: never.
    public var callbackTimeout: Int64? = 30_000_000_000
    public var callsBack = true
    /// For faces that make jobs; the pool itself takes every job as it is.
    public var defaults = JobDefaults()
    /// Cancels everything, as a first interrupt does.
    public var token: Token?
    public init() {}
  }

  public let forkGeneration: UInt32
  let callbackTimeout: Int64?
  let callsBack: Bool
  public let defaults: JobDefaults
  let runToken: Token?
  let sharedPool: Pool?
  let monitor: Monitor
  /// When it was made, in `Clock.now` time.
  public let birth = Clock.now

  // Under the lock.
  var scheduler: Scheduler
  /// By index of the scheduler; nil: nothing of it can be called any more.
  var works: [Job?] = []
  /// What runs or is abandoned, by index.
  var contexts: [JobContext?] = []
  var results: [Int: [UInt8]] = [:]
  var tokenLinks: [Int: TokenLink] = [:]
  var subscribers: [Subscriber] = []
  var lastSubscriber: UInt64 = 0
  var completions: [(id: UInt64, call: (JobHandle) -> Int32)] = []
  var logger: ((JobLogLevel, String, String) -> Void)?
  /// Writes down what happens; nil: nobody does.
  var recorder: RunRecorder?
  /// What an earlier run has done.
  var resumed: RunResume?
  /// Read without the lock, at every submit.
  let definitionsAreLookedAt = Atomic<Bool>(false)
  /// Completion callbacks that have not returned, and since when the one that runs does.
  var pendingCallbacks = 0
  var callbackStart: Int64 = 0
  var isCallbackOverdue = false
  var callbackErrors = 0
  /// The most jobs that were replaced at once: as many workers more there are.
  var substituteWorkers = 0
  /// Threads that wait for anything here.
  var waiters = 0
  /// Those among them that work meanwhile.
  var helpers = 0
  var isClosed = false
  /// The pool's token has done its work.
  var wasInterrupted = false

  /// Who is there of `Helpers`.
  private let begun = Atomic<UInt8>(0)
  // Begun under `beginning`, and then read under the lock.
  let beginning: Monitor
  var cpuWorkers: CallbackWorkers?
  var ioWorkers: CallbackWorkers?
  var service: JobService?
  let dispatcher: Courier
  let clerk: Courier

  struct Subscriber {
    let id: UInt64
    let mask: UInt32
    let courier: Courier
    let tell: (JobEvent) -> Void
  }

  /// - Parameter pool: shared with others; nil: the jobs get workers of their own, as many as slots.
  public init(_ options: Options = Options(), pool: Pool? = nil) throws(WorkpoolError) {
    guard options.scheduling.limits.slots >= 1 else {
      throw WorkpoolError(.invalidArgument, "a pool of jobs has at least one slot")
    }
    wpl_watch_forks()
    forkGeneration = wpl_fork_generation()
    callbackTimeout = options.callbackTimeout
    callsBack = options.callsBack
    defaults = options.defaults
    runToken = options.token
    sharedPool = pool
    scheduler = Scheduler(options.scheduling)
    dispatcher = try Courier(name: "wp-callbacks")
    clerk = try Courier(name: "wp-clerk")
    monitor = try Monitor()
    do throws(WorkpoolError) {
      beginning = try Monitor()
    } catch {
      monitor.destroy()
      throw error
    }
    pool?.retain()
    let context = Unmanaged.passUnretained(self).toOpaque()
    runToken?.observe(context) { context in
      Unmanaged<JobPool>.fromOpaque(context).takeUnretainedValue().tokenWasCancelled()
    }
  }

  deinit {
    monitor.destroy()
    beginning.destroy()
  }

  /// Ends its threads. All jobs must be terminal and have returned.
  /// - Throws: `busy` otherwise, with the name of such a job, and on a thread of the pool itself.
  public func close() throws(WorkpoolError) {
    guard !isOnOwnThread else {
      throw WorkpoolError(.busy, "a callback cannot destroy the pool that calls it")
    }
    monitor.lock()
    if let name = firstUnfinished {
      monitor.unlock()
      throw WorkpoolError(.busy, "job \(name) has not ended")
    }
    isClosed = true
    scheduler.shutdown(limit: 0, at: Clock.now)
    let aftermath = drain()
    let subscribers = subscribers
    self.subscribers = []
    monitor.unlock()
    perform(aftermath)
    runToken?.forget(Unmanaged.passUnretained(self).toOpaque())
    // In this order: what the first ones do may give errands to the later ones.
    locked { recorder }?.close()
    service?.close()
    cpuWorkers?.close()
    ioWorkers?.close()
    clerk.close()
    dispatcher.close()
    for subscriber in subscribers { subscriber.courier.close() }
    sharedPool?.release()
    // What is let go of may call what the user gave: under no lock.
    let left = locked {
      let left = (works, tokenLinks, completions, logger)
      works = []
      tokenLinks = [:]
      completions = []
      logger = nil
      return left
    }
    for link in left.1.values { link.cut() }
  }

  /// With the lock held: the id of a job that has not ended, or has not returned.
  var firstUnfinished: String? {
    guard scheduler.nonTerminal > 0 || scheduler.numbers.abandonedRunning > 0 else { return nil }
    for job in scheduler.kept {
      guard let view = scheduler.view(job) else { continue }
      if !view.state.isTerminal || view.isStillRunning { return view.spec.id }
    }
    return nil
  }

  func locked<R>(_ body: () -> R) -> R {
    monitor.lock()
    defer { monitor.unlock() }
    return body()
  }

  // MARK: Threads

  /// Before jobs are submitted: whoever they will need is there.
  func begin(for jobs: [Job]) throws(WorkpoolError) {
    var needsCPU = false
    var needsIO = false
    var needsClerk = false
    var needsDispatcher = false
    for job in jobs {
      if case .callback = job.work {
        if job.spec.hint.isIO { needsIO = true } else { needsCPU = true }
      }
      if job.cleanUp != nil || job.isUpToDate != nil { needsClerk = true }
      if job.onComplete != nil { needsDispatcher = true }
    }
    let needs =
      Helpers.service | (needsCPU ? Helpers.cpu : 0) | (needsIO ? Helpers.io : 0)
      | (needsClerk ? Helpers.clerk : 0) | (needsDispatcher ? Helpers.dispatcher : 0)
    // pairs with the end of this function
    if needs & ~begun.load(ordering: .acquiring) == 0 { return }
    beginning.lock()
    defer { beginning.unlock() }
    if service == nil {
      let new = try JobService(self)
      locked { service = new }
    }
    if needsClerk { try clerk.begin() }
    if needsDispatcher { try dispatcher.begin() }
    if needsCPU && cpuWorkers == nil {
      let new = try makeWorkers(isIO: false)
      locked { cpuWorkers = new }
    }
    if needsIO && ioWorkers == nil {
      let new = try makeWorkers(isIO: true)
      locked { ioWorkers = new }
    }
    begun.bitwiseOr(needs, ordering: .releasing)  // pairs with the look above
  }

  private enum Helpers {
    static let service: UInt8 = 1
    static let cpu: UInt8 = 2
    static let io: UInt8 = 4
    static let clerk: UInt8 = 8
    static let dispatcher: UInt8 = 16
  }

  private func makeWorkers(isIO: Bool) throws(WorkpoolError) -> CallbackWorkers {
    if !isIO, let sharedPool { return try CallbackWorkers(sharedPool, isOwn: false, jobs: self) }
    let limits = locked { scheduler.options.limits }
    var options = Pool.Options()
    options.workers = min(
      Pool.mostWorkers, isIO && limits.ioSlots > 0 ? limits.ioSlots : limits.slots)
    // Room for limits that are raised later.
    options.maxWorkers = min(Pool.mostWorkers, max(64, 4 * options.workers))
    options.namePrefix = isIO ? "wp-io" : "wp-cpu"
    let pool = try Pool(options)
    do throws(WorkpoolError) {
      return try CallbackWorkers(pool, isOwn: true, jobs: self)
    } catch {
      try pool.close()
      throw error
    }
  }

  /// In the place of threads that do not return. They stay: where the others come back they are idle.
  func addWorkers(_ count: Int) {
    let (cpu, io) = locked { (cpuWorkers, ioWorkers) }
    for workers in [cpu, io] {
      guard let workers else { continue }
      // Without a thread more, jobs wait for those that there are, as they would without substitutes.
      try? workers.setWorkers(workers.pool.workerCount + count)
    }
  }

  /// Whether the calling thread carries callbacks of this pool, or could.
  var isOnOwnThread: Bool {
    let (service, cpu, io, couriers) = locked {
      (self.service, cpuWorkers, ioWorkers, subscribers.map { $0.courier })
    }
    return service?.isOnThisThread == true || cpu?.link.ownSeat != nil || io?.link.ownSeat != nil
      || dispatcher.isOnThisThread || clerk.isOnThisThread
      || couriers.contains { $0.isOnThisThread }
  }

  /// Workers that can carry callbacks at once, at most.
  public var effectiveSlots: Int {
    let (slots, workers) = locked { (scheduler.options.limits.slots, cpuWorkers) }
    guard let pool = sharedPool ?? workers?.pool else { return slots }
    return min(pool.workerCount, slots)
  }
}

/// A token from outside that cancels a job.
final class TokenLink {
  private unowned(unsafe) let pool: JobPool
  private let job: JobHandle
  private let token: Token

  init(_ pool: JobPool, _ job: JobHandle, _ token: Token) {
    self.pool = pool
    self.job = job
    self.token = token
  }

  /// At once if it is cancelled already.
  func tie() {
    token.observe(Unmanaged.passUnretained(self).toOpaque()) { context in
      let link = Unmanaged<TokenLink>.fromOpaque(context).takeUnretainedValue()
      link.pool.cancel(link.job)
    }
  }

  func cut() { token.forget(Unmanaged.passUnretained(self).toOpaque()) }
}
