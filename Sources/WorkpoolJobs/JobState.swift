// SPDX-License-Identifier: MIT

/// Where a job is in its life. The numbers are those of `WP_JOB_…` and never change.
///
/// ```
/// pending → waiting ready skipped cancelled        waiting → ready skipped cancelled timeout(deadline)
/// ready   → running skipped cancelled timeout(deadline)
/// running → completed failed timeout cancelled waiting(retry)        terminal → nothing
/// ```
public enum JobState: UInt8, Sendable {
  /// Accepted; the graph has not started, or the pool was paused when it came.
  case pending
  /// For dependencies, or for the time of the next attempt.
  case waiting
  case ready, running
  case completed, failed, timeout, cancelled, skipped

  static let count = 9

  public var isTerminal: Bool { rawValue >= JobState.completed.rawValue }
  /// Lets dependents go on.
  public var isSatisfied: Bool { self == .completed || self == .skipped }

  public var name: StaticString {
    switch self {
    case .pending: "PENDING"
    case .waiting: "WAITING"
    case .ready: "READY"
    case .running: "RUNNING"
    case .completed: "COMPLETED"
    case .failed: "FAILED"
    case .timeout: "TIMEOUT"
    case .cancelled: "CANCELLED"
    case .skipped: "SKIPPED"
    }
  }
}

/// Why a job came to its state. The numbers are those of `WP_REASON_…` and never change.
public enum JobReason: UInt8, Sendable {
  case none = 0
  // Failed: what `detail` is.
  /// A status.
  case error = 1
  /// An exit code.
  case exit = 2
  /// The number of a signal.
  case signal = 3
  /// An errno.
  case spawn = 4
  /// In another language; its type leads the text.
  case exception = 5
  case timeout = 6
  case deadline = 7
  /// Its worker was lost; the last exit code or, negative, signal.
  case crashed = 8
  /// It has lost too many workers.
  case poison = 9
  // Cancelled.
  case user = 10
  case dependency = 11
  case stop = 12
  case shutdown = 13
  case runDeadline = 14
  // Skipped.
  case upToDate = 15
  case resumed = 16
  case filtered = 17

  public var name: StaticString {
    switch self {
    case .none: "none"
    case .error: "error"
    case .exit: "exit"
    case .signal: "signal"
    case .spawn: "spawn"
    case .exception: "exception"
    case .timeout: "timeout"
    case .deadline: "deadline"
    case .crashed: "crashed"
    case .poison: "poison"
    case .user: "user"
    case .dependency: "dependency"
    case .stop: "stop"
    case .shutdown: "shutdown"
    case .runDeadline: "run_deadline"
    case .upToDate: "up_to_date"
    case .resumed: "resumed"
    case .filtered: "filtered"
    }
  }
}

/// Which job of a pool: never given to another one, also when it was released.
public struct JobHandle: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  init(index: Int, generation: UInt32) {
    rawValue = UInt64(generation) << 32 | UInt64(index)
  }
  var index: Int { Int(truncatingIfNeeded: rawValue & 0xffff_ffff) }
  var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
}

extension JobState {
  /// Of a journal; nil for another word.
  public static func named(_ name: String) -> JobState? {
    for number in 0..<UInt8(count) {
      if let state = JobState(rawValue: number), "\(state.name)" == name { return state }
    }
    return nil
  }
}

extension JobReason {
  /// Of a journal; nil for another word.
  public static func named(_ name: String) -> JobReason? {
    for number in 0..<UInt8.max {
      guard let reason = JobReason(rawValue: number) else { return nil }
      if "\(reason.name)" == name { return reason }
    }
    return nil
  }
}
