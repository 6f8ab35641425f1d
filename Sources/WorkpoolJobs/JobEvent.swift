// SPDX-License-Identifier: MIT

/// Something that happened in a pool of jobs.
public struct JobEvent: Sendable {
  /// The numbers are those of `WP_EVENT_…` and never change.
  public enum Kind: UInt8, Sendable, CaseIterable {
    case runStarted, jobSubmitted, jobReady, jobStarted, jobOverdue, jobRetrying, jobFinished
    case jobSkipped, jobReturned, batchStarted, itemFinished, batchFinished, workerCrashed
    case workerRespawned, callbackError, warning, runFinished, jobProgress

    public var name: StaticString {
      switch self {
      case .runStarted: "run_started"
      case .jobSubmitted: "job_submitted"
      case .jobReady: "job_ready"
      case .jobStarted: "job_started"
      case .jobOverdue: "job_overdue"
      case .jobRetrying: "job_retrying"
      case .jobFinished: "job_finished"
      case .jobSkipped: "job_skipped"
      case .jobReturned: "job_returned"
      case .batchStarted: "batch_started"
      case .itemFinished: "item_finished"
      case .batchFinished: "batch_finished"
      case .workerCrashed: "worker_crashed"
      case .workerRespawned: "worker_respawned"
      case .callbackError: "callback_error"
      case .warning: "warning"
      case .runFinished: "run_finished"
      case .jobProgress: "job_progress"
      }
    }
    /// Of a mask of kinds.
    public var bit: UInt32 { 1 << UInt32(rawValue) }
  }

  public static let all: UInt32 = .max

  public var kind: Kind
  /// From 1, without gaps over all kinds.
  public var seq: UInt64
  /// In `Clock.now` time; never before that of an earlier event.
  public var time: Int64
  /// nil where no job is concerned.
  public var job: JobHandle?
  public var id = ""
  public var state = JobState.pending
  public var reason = JobReason.none
  public var detail: Int32 = 0
  /// An error's text, a warning's.
  public var text = ""
  /// From 1; 0: before the first one.
  public var attempt: Int32 = 0
  public var slot: Int32 = -1
  /// Of `batchStarted`, `batchFinished`: the number of the batch; of `itemFinished`, `workerCrashed`: the
  /// item, −1: none; of `jobProgress`: how much is done.
  public var item: Int64 = -1
  /// Of `batchStarted`: its items; of `jobProgress`: how much there is, 0: nobody knows.
  public var count: Int64 = 0
  /// The worker that a batch, an item or a death is about; 0: none.
  public var process: Int32 = 0
  /// Of a terminal event: its function still runs and holds what it held.
  public var isAbandoned = false
  /// Of `jobRetrying`: when the next attempt may start.
  public var retryTime: Int64 = 0
  /// Of a cancelled job: ids from the root cause to itself, at most 32; empty if it is its own cause.
  public var chain: [String] = []
  /// The job above it in the chain.
  public var via: String { chain.count > 1 ? chain[chain.count - 2] : "" }
  /// The first one; longer chains than 32 keep it.
  public var root: String { chain.first ?? "" }

  init(_ kind: Kind, seq: UInt64, time: Int64) {
    self.kind = kind
    self.seq = seq
    self.time = time
  }
}
