// SPDX-License-Identifier: MIT
import Workpool

/// When what ran on which slot, out of a journal.
struct RunTimeline {
  private let chart: JobChart

  init(_ history: RunHistory) {
    var chart = JobChart()
    for job in history.jobs {
      chart.jobs.append(
        JobChart.Job(
          id: job.id, dependencies: job.after, state: Self.state(job.state),
          priority: Int32(truncatingIfNeeded: job.priority), memory: UInt64(max(0, job.memory)),
          ready: job.ready, end: job.ended))
      for attempt in job.attempts {
        chart.bars.append(
          JobChart.Bar(
            id: job.id, attempt: Int32(truncatingIfNeeded: attempt.number), lane: .processes,
            slot: Int32(truncatingIfNeeded: attempt.slot),
            state: attempt.end == nil ? .running : Self.state(attempt.state),
            reason: Self.reason(attempt.reason),
            detail: Int32(truncatingIfNeeded: attempt.detail), start: attempt.start,
            end: max(attempt.start, attempt.end ?? history.lastTime)))
      }
    }
    self.chart = chart
  }

  private static func state(_ name: String) -> JobState {
    (0...JobState.skipped.rawValue).lazy.compactMap { JobState(rawValue: $0) }
      .first { "\($0.name)" == name } ?? .pending
  }

  private static func reason(_ name: String) -> JobReason {
    (0...JobReason.filtered.rawValue).lazy.compactMap { JobReason(rawValue: $0) }
      .first { "\($0.name)" == name } ?? .none
  }

  var trace: String { chart.traceText }
  var svg: String { chart.svgText }
  func ascii(columns: Int) -> String { chart.asciiText(columns: columns) }
  var criticalPath: [String] { chart.criticalPath.map { $0.id } }
}
