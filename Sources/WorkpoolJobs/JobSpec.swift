// SPDX-License-Identifier: MIT

/// What a job asks of the scheduler.
public struct JobSpec: Sendable {
  /// What does its work, as far as that matters for stopping it.
  public enum Kind: UInt8, Sendable {
    /// A function on a worker. It cannot be stopped, only asked to.
    case callback
    /// Child processes: they end soon after a stop order, for they are killed.
    case command
    /// A pipeline with workers of its own choice; stopped by its token.
    case pipeline
    /// Items through worker processes; stopped as a command is.
    case batch

    var isProcesses: Bool { self == .command || self == .batch }
  }

  /// Which ends of the dependencies let the job run.
  public enum When: UInt8, Sendable {
    case success
    /// Once all are terminal, whatever they are.
    case always
    /// Once all are terminal and one failed, timed out or was cancelled; else the job is skipped.
    case failure
  }

  /// What the work is like: which workers carry it, and what it takes besides its slots.
  public enum Hint: UInt8, Sendable {
    case lightCPU
    /// And one unit of the pool `heavy_cpu`.
    case heavyCPU
    case lightIO
    /// And one unit of the pool `heavy_io`.
    case heavyIO

    public var isIO: Bool { self == .lightIO || self == .heavyIO }
  }

  /// Units of a named pool.
  public struct PoolRequest: Equatable, Sendable {
    public var name: String
    public var count: Int
    public init(_ name: String, _ count: Int = 1) {
      self.name = name
      self.count = count
    }
  }

  /// Empty: the pool gives it `job-N`, N its place among all that were submitted.
  public var id: String
  /// For people; empty: its id.
  public var name = ""
  public var kind = Kind.callback
  /// Ids. One that occurs twice counts once.
  public var dependencies: [String] = []
  /// Ids of jobs that must be terminal, whatever they are, before it starts: they order and nothing else.
  public var orderOnly: [String] = []
  public var when = When.success
  /// Whatever it ends as counts as satisfied for dependents, and not as a failure.
  public var allowsFailure = false
  /// False: `maxFailures` does not count its failure.
  public var countsForStop = true

  public var priority: Int32 = 0
  public var hint = Hint.lightCPU
  public var cpus = 1
  /// Bytes of the memory budget.
  public var memory: UInt64 = 0
  public var pools: [PoolRequest] = []

  public var retry = RetryPolicy()
  /// Nanoseconds of one attempt; nil: none.
  public var timeout: Int64?
  /// Nanoseconds from the first start over all attempts and delays; nil: none.
  public var deadline: Int64?
  /// Nanoseconds from a stop order until a callback is abandoned or a command killed; nil: the pool's.
  public var grace: Int64?

  /// How long it will take, from the last record; counts with `criticalPath`.
  public var expectedNanoseconds: Int64 = 0
  /// Asked before it may start whether its work is done already.
  public var checksUpToDate = false
  /// Something is to be done when it started and did not complete.
  public var cleansUp = false
  /// Not run at all: it becomes skipped for this reason (`filtered`, `resumed`) once its dependencies
  /// let it go on.
  public var skip = JobReason.none

  public init(_ id: String = "") { self.id = id }
}

/// What a job asks for, held once for all who look at it. It is not changed any more once it is submitted.
final class SharedSpec: @unchecked Sendable {
  var value: JobSpec
  init(_ value: JobSpec) { self.value = value }
}

/// What jobs of a pool are that do not say it themselves.
public struct JobDefaults: Sendable {
  public var maxRetries = 0
  public var retryDelay: Int64 = 5_000_000_000
  public var timeout: Int64? = 3_600_000_000_000
  public init() {}
}

/// Which attempts are followed by another one, and when.
public struct RetryPolicy: Equatable, Sendable {
  public struct Kinds: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Statuses, exit codes, exceptions, failed spawns, lost workers.
    public static let error = Kinds(rawValue: 1)
    public static let timeout = Kinds(rawValue: 2)
    /// Death by a signal that was not ours.
    public static let signal = Kinds(rawValue: 4)
    public static let all: Kinds = [.error, .timeout, .signal]
  }

  public var maxRetries = 0
  /// Nanoseconds before the second attempt; before attempt k `factor`^(k−2) times as many, at most `maxDelay`.
  public var delay: Int64 = 0
  public var factor = 1.0
  public var maxDelay: Int64 = 60_000_000_000
  /// Up to this part of the delay is added, by chance but reproducibly.
  public var jitter = 0.0
  public var kinds = Kinds.all
  /// Exit codes after which nothing is tried again.
  public var finalExits: [Int32] = [126, 127]

  public init() {}

  /// - Parameter attempt: the one that will follow, from 2.
  /// - Parameter chance: 0 ..< 1.
  func delay(before attempt: Int, chance: Double) -> Int64 {
    var wait = Double(max(0, delay))
    let most = Double(max(0, maxDelay))
    if factor != 1 && wait > 0 {
      for _ in 2..<max(2, attempt) {
        wait *= factor
        if wait >= most || wait < 1 { break }
      }
    }
    wait = min(wait, most)
    if jitter > 0 { wait += wait * min(jitter, 1) * chance }
    // Below 2^62 whatever was asked for.
    return Int64(max(0, min(wait, 4.6e18)))
  }
}
