// SPDX-License-Identifier: MIT

/// What one attempt of a job came to, as told by who carried it.
public struct JobOutcome: Equatable, Sendable {
  public enum Kind: UInt8, Sendable {
    case completed
    /// It has stopped because it was asked to.
    case cancelled
    case error, exit, signal, spawn, exception, crashed, poison
  }

  /// Bytes of a text that are kept.
  public static let textSize = 4096

  public var kind: Kind
  /// Status, exit code, signal or errno; see `JobReason`.
  public var detail: Int32 = 0
  public var text = ""
  /// False: another attempt would be in vain.
  public var mayRetry = true
  /// Of a command: it ended after our signal.
  public var wasSignalled = false
  /// Bytes; 0: unknown.
  public var peakMemory: UInt64 = 0
  public var cpuNanoseconds: Int64 = 0

  public init(_ kind: Kind, _ detail: Int32 = 0, _ text: String = "") {
    self.kind = kind
    self.detail = detail
    self.text = text
  }

  public static let completed = JobOutcome(.completed)

  /// What the state of the job tells when it ends like this.
  var reason: JobReason {
    switch kind {
    case .completed: .none
    case .cancelled: .user
    case .error: .error
    case .exit: .exit
    case .signal: .signal
    case .spawn: .spawn
    case .exception: .exception
    case .crashed: .crashed
    case .poison: .poison
    }
  }
}

/// One execution of a job, over or not.
public struct JobAttempt: Equatable, Sendable {
  /// From 1.
  public var number: Int32 = 0
  /// The lowest slot it holds, from 0; I/O slots of their own have numbers of their own.
  public var slot: Int32 = -1
  /// What it ended as; `running` until then.
  public var state = JobState.running
  public var reason = JobReason.none
  public var detail: Int32 = 0
  /// In `Clock.now` time; `end` 0 until it is over.
  public var start: Int64 = 0
  public var end: Int64 = 0
  public var cpuNanoseconds: Int64 = 0
  public var peakMemory: UInt64 = 0
}
