// SPDX-License-Identifier: MIT
import WorkpoolCore

/// How many jobs ended how. What was allowed to fail is no failure.
public struct JobSums: Sendable {
  public var ok = 0
  public var skipped = 0
  public var failed = 0
  public var timeout = 0
  public var cancelled = 0
  public var allowed = 0

  public var isGood: Bool { failed + timeout + cancelled == 0 }

  public init(_ scheduler: Scheduler, _ jobs: [JobHandle]) {
    for job in jobs {
      guard let view = scheduler.view(job) else { continue }
      switch view.state {
      case .completed: ok += 1
      case .skipped: skipped += 1
      case .failed, .timeout, .cancelled:
        if view.spec.allowsFailure {
          allowed += 1
        } else if view.state == .failed {
          failed += 1
        } else if view.state == .timeout {
          timeout += 1
        } else {
          cancelled += 1
        }
      default: break
      }
    }
  }

  /// For the last line of a journal.
  public var members: [JSONValue.Member] {
    [
      .init("ok", .int(ok)), .init("skipped", .int(skipped)),
      .init("failed", .int(failed)), .init("timeout", .int(timeout)),
      .init("cancelled", .int(cancelled)),
    ]
  }
}

/// `run.json`: what a run has come to so far, for programs.
public struct JobSummary {
  private let id: String
  private let scheduler: Scheduler
  private let jobs: [JobHandle]
  private let start: Int64
  private let now: Int64
  private let isEnd: Bool
  private let logs: (JobView, JobAttempt) -> [JSONValue.Member]

  /// - Parameters:
  ///   - jobs: those that are told of, in this order.
  ///   - logs: names of an attempt's files.
  public init(
    id: String, _ scheduler: Scheduler, _ jobs: [JobHandle], start: Int64, now: Int64,
    isEnd: Bool, logs: @escaping (JobView, JobAttempt) -> [JSONValue.Member]
  ) {
    self.id = id
    self.scheduler = scheduler
    self.jobs = jobs
    self.start = start
    self.now = now
    self.isEnd = isEnd
    self.logs = logs
  }

  public var bytes: [UInt8] {
    let sums = JobSums(scheduler, jobs)
    let views = jobs.map { scheduler.view($0) }
    var failures: [JSONValue] = []
    var stoppedEarly = false
    for view in views {
      guard let view else { continue }
      if view.reason == .stop || view.reason == .user || view.reason == .runDeadline {
        stoppedEarly = true
      }
      guard view.state == .failed || view.state == .timeout, !view.spec.allowsFailure else {
        continue
      }
      failures.append(
        .object([.init("job_id", .text(view.spec.id)), .init("error", .text(error(view)))]))
    }
    var members: [JSONValue.Member] = [
      .init("schema", .int(1)),
      .init("run", .text(id)),
      .init("finished", .bool(isEnd)),
      .init("success", .bool(isEnd && sums.isGood)),
      .init("total", .int(jobs.count)),
      .init("succeeded", .int(sums.ok)),
      .init("skipped", .int(sums.skipped)),
      .init("failed", .int(sums.failed + sums.timeout)),
      .init("cancelled", .int(sums.cancelled)),
    ]
    if sums.allowed > 0 { members.append(.init("allowed_failures", .int(sums.allowed))) }
    members.append(.init("failures", .list(failures)))
    members.append(.init("duration_ms", .int(Int((now - start) / 1_000_000))))
    if stoppedEarly { members.append(.init("stopped_early", .bool(true))) }
    members.append(.init("jobs", .list(views.compactMap { $0.map(job) })))
    members.append(.init("metrics", metrics))
    var bytes: [UInt8] = []
    JSONValue.object(members).write(to: &bytes)
    bytes.append(10)
    return bytes
  }

  private func error(_ view: JobView) -> String {
    let how = JobWords.how("\(view.state.name)", "\(view.reason.name)", Int(view.detail))
    // The last line of its words.
    let lines = Array(view.text.utf8).split { $0 == 10 || $0 == 13 }
    guard let last = lines.last else { return how }
    return how + ": " + String(decoding: last, as: UTF8.self)
  }

  private func job(_ view: JobView) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .text(view.spec.id)),
      .init("state", .text("\(view.state.name)")),
      .init("reason", .text("\(view.reason.name)")),
    ]
    if view.detail != 0 { members.append(.init("detail", .int(Int(view.detail)))) }
    let chain = scheduler.causes(view.job)
    if chain.count > 1 {
      members.append(
        .init("chain", .list(chain.compactMap { scheduler.view($0).map { .text($0.spec.id) } })))
    }
    members.append(
      .init("attempts", .list(scheduler.attempts(view.job).map { attempt($0, of: view) })))
    return .object(members)
  }

  private func attempt(_ attempt: JobAttempt, of view: JobView) -> JSONValue {
    .object(
      [
        .init("attempt", .int(Int(attempt.number))),
        .init("slot", .int(Int(attempt.slot))),
        .init("start_ns", .int(Int(attempt.start - start))),
        .init("end_ns", attempt.end > 0 ? .int(Int(attempt.end - start)) : .null),
        .init("state", .text("\(attempt.state.name)")),
        .init("reason", .text("\(attempt.reason.name)")),
        .init("detail", .int(Int(attempt.detail))),
        .init("peak_memory", .int(Int(attempt.peakMemory))),
        .init("cpu_ns", .int(Int(attempt.cpuNanoseconds))),
      ] + logs(view, attempt))
  }

  private var metrics: JSONValue {
    let known = scheduler.metrics(at: now)
    return .object([
      .init("total_processed", .int(known.totalProcessed)),
      .init("avg_wait_time", .double(known.averageWait)),
      .init("avg_dependency_time", .double(known.averageDependency)),
      .init("avg_execution_time", .double(known.averageExecution)),
      .init("success_rate", .double(known.successRate)),
      .init("retries", .int(known.retries)),
      .init("timeouts", .int(known.timeouts)),
      .init("crashes", .int(known.crashes)),
      .init("peak_running", .int(known.peakRunning)),
      .init("peak_memory", .int(Int(known.peakMemory))),
      .init("cpu_seconds", .double(known.cpuSeconds)),
      .init("parallelism_factor", .double(known.parallelismFactor)),
      .init("slot_use", .double(known.slotUse)),
      .init("p50", .double(known.medianExecution)),
      .init("p95", .double(known.execution95)),
    ])
  }
}
