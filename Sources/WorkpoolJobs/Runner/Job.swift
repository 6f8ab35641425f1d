// SPDX-License-Identifier: MIT
import WorkpoolCore

/// A job as it is given to a pool: what it asks for, and what is to be done.
///
/// The pool lets go of it when none of its functions can be called any more.
public final class Job: @unchecked Sendable {
  public enum Work {
    /// Called on a worker, for every attempt.
    case callback((JobContext) -> JobOutcome)
    /// Runs without a thread of its own.
    case detached(DetachedWork)
  }

  /// Not to be changed any more once it is submitted.
  public var spec: JobSpec {
    _read { yield shared.value }
    _modify { yield &shared.value }
  }
  let shared: SharedSpec
  public let work: Work
  /// Called by the pool's clerk before it starts, never under a lock: whether its work is done already.
  public var isUpToDate: ((JobHandle) -> Bool)?
  /// Called by the clerk if it has started and did not complete.
  public var cleanUp: ((JobHandle) -> Void)?
  /// Called by the dispatcher when it is terminal; something else than 0 is counted and reported.
  public var onComplete: ((JobHandle) -> Int32)?
  /// What it does, or a hash of that; for records.
  public var definition = ""
  /// Files that are there once it is done; for records.
  public var outputs: [String] = []
  /// The job in whose function it was submitted, if its run is on record.
  var adder = ""
  /// Cancels it from outside.
  public var token: Token?
  /// Called once, when the pool has let go of the job and of all that it could call.
  public var release: (() -> Void)?

  public init(_ spec: JobSpec, _ work: Work) {
    shared = SharedSpec(spec)
    self.work = work
  }

  deinit { release?() }
}

/// Work that goes on without a thread of the pool, such as a child process. All of its functions are called
/// by the pool's service thread, one at a time; none may wait.
open class DetachedWork {
  /// Makes the service thread look again, from any thread, as when `due` has come earlier.
  public internal(set) var wake: () -> Void = {}

  public init() {}

  /// Begins an attempt.
  /// - Returns: what it came to, if it is over already; nil: it goes on.
  open func begin(_ context: JobContext) -> JobOutcome? { nil }
  /// What to poll for input; −1: nothing.
  open var descriptor: Int32 { -1 }
  /// When `advance` must be called at the latest.
  open var due: Int64? { nil }
  /// The descriptor is readable, or the time has come.
  /// - Returns: what the attempt came to, when it is over.
  open func advance(now: Int64) -> JobOutcome? { nil }
  /// It shall stop, and soon.
  open func stop(now: Int64) {}
  open func kill(now: Int64) {}
}
