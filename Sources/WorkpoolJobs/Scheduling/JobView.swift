// SPDX-License-Identifier: MIT

/// What is known of a job at a moment.
public struct JobView: Sendable {
  public let job: JobHandle
  public let spec: JobSpec
  public let state: JobState
  public let reason: JobReason
  /// Status, exit code, signal or errno, as the reason says.
  public let detail: Int32
  /// Of an error: its text, at most `JobOutcome.textSize` bytes of it.
  public let text: String
  /// The one that runs or ran last, from 1; 0: none yet.
  public let attempt: Int32
  /// It was asked to stop by a cancel, whatever it ended as.
  public let wasCancelRequested: Bool
  /// It is terminal, but its function had not returned by then.
  public let isAbandoned: Bool
  /// That function still runs.
  public let isStillRunning: Bool
  /// In the time of the inputs; 0: not yet.
  public let submitTime: Int64
  public let readyTime: Int64
  public let startTime: Int64
  public let endTime: Int64
  /// While it waits for its next attempt.
  public let retryTime: Int64
}

extension Scheduler {
  /// nil if the job is gone.
  public func view(_ job: JobHandle) -> JobView? {
    guard let index = index(job) else { return nil }
    let known = jobs[index]
    var spec = known.spec
    spec.id = known.id
    return JobView(
      job: job, spec: spec, state: known.state, reason: known.reason, detail: known.detail,
      text: known.text, attempt: known.attempt, wasCancelRequested: known.wasCancelRequested,
      isAbandoned: known.isAbandoned, isStillRunning: known.isAbandoned && known.isHolding,
      submitTime: known.submitTime, readyTime: known.firstReadyTime,
      startTime: known.firstStartTime, endTime: known.endTime, retryTime: known.retryTime)
  }

  public func state(_ job: JobHandle) -> JobState? { index(job).map { jobs[$0].state } }

  /// Those that there were, the last one maybe still running.
  public func attempts(_ job: JobHandle) -> [JobAttempt] {
    guard let index = index(job), jobs[index].attempt > 0 else { return [] }
    return jobs[index].earlierAttempts + [jobs[index].lastAttempt]
  }

  /// From the root cause to the job itself; of one that is its own cause the job alone.
  public func causes(_ job: JobHandle) -> [JobHandle] {
    guard let index = index(job) else { return [] }
    return chain(index).map { handle($0) }
  }

  /// `cancelled: fetch failed (exit 3) → clean → load`; how it failed or was stopped if it is its own
  /// cause; empty if it did neither.
  public func causeText(_ job: JobHandle) -> String {
    guard let index = index(job) else { return "" }
    let chain = chain(index)
    let root = jobs[chain[0]]
    guard root.state.isTerminal && !root.state.isSatisfied else { return "" }
    var text = chain.count > 1 ? "cancelled: \(root.spec.id) " : ""
    text += Self.how(root.state, root.reason, root.detail)
    for link in chain.dropFirst() { text += " → " + jobs[link].id }
    return text
  }

  /// `failed (exit 3)`, `timed out`, `cancelled (user)`.
  public static func how(_ state: JobState, _ reason: JobReason, _ detail: Int32) -> String {
    switch state {
    case .failed:
      switch reason {
      case .exit: return "failed (exit \(detail))"
      case .signal: return "failed (signal \(detail))"
      case .error: return "failed (status \(detail))"
      case .spawn: return "failed (could not be started, errno \(detail))"
      default: return "failed (\(reason.name))"
      }
    case .timeout: return reason == .deadline ? "timed out (deadline)" : "timed out"
    case .cancelled: return "was cancelled (\(reason.name))"
    default: return ""
    }
  }

  /// All jobs that are kept, in the order of submission.
  public var kept: [JobHandle] {
    jobs.indices.filter { isUsed[$0] }.sorted { jobs[$0].order < jobs[$1].order }.map { handle($0) }
  }
}
