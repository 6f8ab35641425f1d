// SPDX-License-Identifier: MIT
import Workpool

/// How many jobs ended how. What was allowed to fail is no failure.
struct JobSums {
  var ok = 0
  var skipped = 0
  var failed = 0
  var timeout = 0
  var cancelled = 0
  var allowed = 0

  var isGood: Bool { failed + timeout + cancelled == 0 }

  init(_ plan: JobPlan, _ scheduler: Scheduler, _ handles: [JobHandle]) {
    for (place, handle) in handles.enumerated() {
      guard let state = scheduler.state(handle) else { continue }
      let isAllowed = plan.jobs[place].settings.allowFailure ?? false
      switch state {
      case .completed: ok += 1
      case .skipped: skipped += 1
      case .failed, .timeout, .cancelled:
        if isAllowed {
          allowed += 1
        } else if state == .failed {
          failed += 1
        } else if state == .timeout {
          timeout += 1
        } else {
          cancelled += 1
        }
      default: break
      }
    }
  }
}

/// `run.json`: what a run has come to so far, for programs.
struct RunSummaryFile {
  let plan: JobPlan
  let scheduler: Scheduler
  let handles: [JobHandle]
  let folder: RunFolder
  let start: Int64
  let now: Int64
  let settings: RunSettings
  let isEnd: Bool

  var text: String {
    let sums = JobSums(plan, scheduler, handles)
    let views = handles.map { scheduler.view($0) }
    var failures: [JSONValue] = []
    var stoppedEarly = false
    for (place, view) in views.enumerated() {
      guard let view else { continue }
      if view.reason == .stop || view.reason == .user || view.reason == .runDeadline {
        stoppedEarly = true
      }
      guard view.state == .failed || view.state == .timeout,
        !(plan.jobs[place].settings.allowFailure ?? false)
      else { continue }
      failures.append(
        .object([
          .init("job_id", .text(plan.jobs[place].id)), .init("error", .text(error(view))),
        ]))
    }
    var members: [JSONValue.Member] = [
      .init("schema", .int(1)),
      .init("run", .text(folder.id)),
      .init("finished", .bool(isEnd)),
      .init("success", .bool(isEnd && sums.isGood)),
      .init("total", .int(plan.jobs.count)),
      .init("succeeded", .int(sums.ok)),
      .init("skipped", .int(sums.skipped)),
      .init("failed", .int(sums.failed + sums.timeout)),
      .init("cancelled", .int(sums.cancelled)),
    ]
    if sums.allowed > 0 { members.append(.init("allowed_failures", .int(sums.allowed))) }
    members.append(.init("failures", .list(failures)))
    members.append(.init("duration_ms", .int(Int((now - start) / 1_000_000))))
    if stoppedEarly { members.append(.init("stopped_early", .bool(true))) }
    members.append(
      .init("jobs", .list(views.enumerated().compactMap { $1.map(job) })))
    members.append(.init("metrics", metrics))
    return JSONValue.object(members).line + "\n"
  }

  private func error(_ view: JobView) -> String {
    let how = JobWords.how("\(view.state.name)", "\(view.reason.name)", Int(view.detail))
    let last = view.text.split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
    return last.isEmpty ? how : how + ": " + last
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
      .init(
        "attempts",
        .list(
          scheduler.attempts(view.job).map { attempt in
            .object([
              .init("attempt", .int(Int(attempt.number))),
              .init("slot", .int(Int(attempt.slot))),
              .init("start_ns", .int(Int(attempt.start - start))),
              .init("end_ns", attempt.end > 0 ? .int(Int(attempt.end - start)) : .null),
              .init("state", .text("\(attempt.state.name)")),
              .init("reason", .text("\(attempt.reason.name)")),
              .init("detail", .int(Int(attempt.detail))),
              .init("peak_memory", .int(Int(attempt.peakMemory))),
              .init("cpu_ns", .int(Int(attempt.cpuNanoseconds))),
              .init("out", .text(logName(view.spec.id, attempt.number, "out"))),
              .init("err", .text(logName(view.spec.id, attempt.number, "err"))),
            ])
          })))
    return .object(members)
  }

  /// Relative to the run's folder.
  private func logName(_ id: String, _ attempt: Int32, _ suffix: String) -> String {
    String(folder.file(id, attempt: attempt, suffix).dropFirst(folder.path.count + 1))
  }

  private var metrics: JSONValue {
    let numbers = scheduler.numbers
    let wall = max(1, now - start)
    func seconds(_ nanoseconds: Int64, per count: Int) -> JSONValue {
      .double(count > 0 ? Double(nanoseconds) / 1e9 / Double(count) : 0)
    }
    let ended = scheduler.count(.completed) + scheduler.count(.failed) + scheduler.count(.timeout)
    return .object([
      .init("total_processed", .int(numbers.processed)),
      .init("avg_wait_time", seconds(numbers.waitNanoseconds, per: numbers.startedJobs)),
      .init(
        "avg_dependency_time", seconds(numbers.dependencyNanoseconds, per: numbers.startedJobs)),
      .init("avg_execution_time", seconds(numbers.executionNanoseconds, per: numbers.attempts)),
      .init(
        "success_rate",
        .double(ended > 0 ? Double(scheduler.count(.completed)) / Double(ended) : 1)),
      .init("retries", .int(numbers.retries)),
      .init("timeouts", .int(numbers.timeouts)),
      .init("crashes", .int(numbers.crashes)),
      .init("peak_running", .int(numbers.peakRunning)),
      .init("cpu_seconds", .double(Double(numbers.cpuNanoseconds) / 1e9)),
      .init(
        "parallelism_factor", .double(Double(numbers.executionNanoseconds) / Double(wall))),
    ])
  }
}
