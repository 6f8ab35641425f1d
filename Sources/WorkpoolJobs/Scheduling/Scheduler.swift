// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Decides what happens to jobs: events and the time go in, actions come out.
///
/// A value without lock, thread, clock or system call; equal inputs give equal actions. Who drives it
/// calls one of its mutating functions with the time, which never goes back, and then performs
/// `actions` in their order and empties them. It must be told of every end of what it had started
/// (`finish`), and call `tick` when `nextDue` has come.
///
/// A step takes O(log n) of the jobs that are ready or have a time to come, for each kind of request
/// among the ready ones; a failure O(edges that it reaches).
public struct Scheduler {
  public struct Options: Sendable {
    public var limits = JobLimits()
    /// False: all in the order of submission.
    public var usesPriorities = true
    /// Of equal priority the deeper one first.
    public var isDepthFirst = false
    /// A dependency has the highest priority of those that wait for it.
    public var inheritsPriority = false
    /// Of equal priority the one with the longest path to an end first.
    public var followsCriticalPath = false
    /// Nanoseconds in which a ready job gains one point of priority; they end at the same moments for
    /// all jobs. 0: none.
    public var aging: Int64 = 0
    /// So many may start past the first one that does not fit.
    public var bypassLimit = 32
    /// Stop at so many failures; 0: never.
    public var maxFailures = 0
    /// The stop at failures ends running jobs too.
    public var stopsNow = false
    /// From a stop order until a callback is abandoned.
    public var grace: Int64 = 2_000_000_000
    /// From a stop order until a command is killed.
    public var killGrace: Int64 = 5_000_000_000
    /// So many abandoned callbacks do not count: others may run on as many slots beside them.
    public var replaceAbandoned = 0
    /// Of jobs that have not started; 0: any number.
    public var maxQueued = 0
    /// Of jobs that are kept, finished or not.
    public var maxJobs = 1_000_000
    /// Of finished jobs; 0: all.
    public var retainFinished = 0
    /// Jobs are accepted and wait until `resume`.
    public var isPaused = false
    /// A job that asks for more than there is runs by itself.
    public var runsOversizedAlone = false
    /// In the time of the inputs; nil: none.
    public var runDeadline: Int64?
    /// Nothing starts while it is open whether a job is up to date: for who answers at once, so that a
    /// job keeps its rank although it was asked about.
    public var waitsForChecks = false

    public init() {}
  }

  public enum Action: Sendable {
    /// Run this attempt and tell `finish`.
    case start(JobHandle, attempt: Int32, slot: Int32)
    /// Ask it to stop.
    case stop(JobHandle, JobReason)
    /// End it by force.
    case kill(JobHandle)
    /// Find out whether its work is done already and tell `check`.
    case checkUpToDate(JobHandle)
    /// It did not complete: clean up and tell `cleanedUp`.
    case cleanUp(JobHandle)
    /// It is terminal. It stays known until `letGo`, also if no more finished jobs are to be kept.
    case ended(JobHandle)
    /// Nothing is known of it any more; the handle is void.
    case forgotten(JobHandle)
  }

  public enum StopMode: Sendable { case soft, now }

  public internal(set) var options: Options
  public internal(set) var actions: [Action] = []
  /// Events of these kinds are put into `events`; all of them are numbered.
  public var eventMask: UInt32 = 0
  public internal(set) var events: [JobEvent] = []

  var jobs: [ScheduledJob] = []
  var nodes: [ReadySet.Node] = []
  var freeIndices: [Int32] = []
  /// Indices of places in `jobs` that are in use.
  var isUsed: [Bool] = []
  var byID: [String: Int32] = [:]
  /// Ids that somebody waits for and nobody has submitted, with those who wait.
  var awaited: [String: [Int32]] = [:]
  var submitted: UInt64 = 0
  var seq: UInt64 = 0
  var time: Int64 = 0

  var resources: Resources
  var shapes: [(shape: Resources.Shape, ready: ReadySet)] = []
  var dueTimes = DueTimes()

  var isPaused: Bool
  var hasStarted = false
  /// Why nothing new starts, but for `always` and `failure` jobs, and the job that caused it.
  var stopReason = JobReason.none
  var stopLink: Int32 = -1
  /// Not even those.
  var isFinal = false
  /// Of all jobs so far: how long one may go on after a stop order.
  public internal(set) var longestGrace: Int64 = 0
  public internal(set) var isShutDown = false
  var isFinished = false
  /// When running jobs get a stop order for the shutdown.
  var shutdownTime: Int64?
  var failures = 0
  /// Jobs whose `checkUpToDate` is not answered.
  var checking = 0
  /// Caused a stop that is still to be carried out.
  var stopDue: Int32 = -1
  /// Terminal jobs whose dependents have not been told.
  var endedQueue: [Int32] = []
  /// Finished jobs, oldest first, from `firstFinished` on; with `retainFinished`.
  var finished: [JobHandle] = []
  var firstFinished = 0

  public internal(set) var numbers = JobNumbers()
  /// By state.
  public internal(set) var counts = [Int](repeating: 0, count: JobState.count)

  public init(_ options: Options = Options()) {
    self.options = options
    resources = Resources(options.limits)
    isPaused = options.isPaused
  }

  // MARK: Looking

  /// When `tick` must be called, if nothing else happens before.
  public var nextDue: Int64? {
    var due = dueTimes.earliest
    if let time = shutdownTime { due = min(due ?? time, time) }
    if let time = options.runDeadline, !isFinal { due = min(due ?? time, time) }
    return due
  }

  public var total: Int { jobs.count - freeIndices.count }
  public var nonTerminal: Int { counts[0] + counts[1] + counts[2] + counts[3] }
  /// Accepted and not running.
  public var queued: Int { counts[0] + counts[1] + counts[2] }
  public func count(_ state: JobState) -> Int { counts[Int(state.rawValue)] }

  /// Whether all there is waits for ids that nobody has submitted.
  public var onlyUnknownIsAwaited: Bool {
    !awaited.isEmpty && !isPaused && counts[1] > 0 && counts[0] + counts[2] + counts[3] == 0
      && dueTimes.earliest == nil && numbers.cleaningUp == 0
  }
  /// Those ids, sorted.
  public var awaitedIDs: [String] { awaited.keys.sorted() }

  public func find(_ id: String) -> JobHandle? { byID[id].map { handle(Int($0)) } }

  /// The place of a job; nil if it is gone.
  func index(_ job: JobHandle) -> Int? {
    let index = job.index
    guard index < jobs.count, isUsed[index], jobs[index].generation == job.generation else {
      return nil
    }
    return index
  }

  func handle(_ index: Int) -> JobHandle {
    JobHandle(index: index, generation: jobs[index].generation)
  }

  public mutating func takeActions() -> [Action] {
    let taken = actions
    actions = []
    return taken
  }

  public mutating func takeEvents() -> [JobEvent] {
    let taken = events
    events = []
    return taken
  }

  // MARK: A step

  /// After every input: tells dependents, stops, starts what can start.
  mutating func finishStep() {
    settleEnded()
    admit()
  }

  mutating func enter(_ now: Int64) { time = max(time, now) }

  mutating func setState(_ index: Int, _ state: JobState) {
    counts[Int(jobs[index].state.rawValue)] -= 1
    counts[Int(state.rawValue)] += 1
    jobs[index].state = state
  }
}
