// SPDX-License-Identifier: MIT

/// When what ran where: the attempts of a pool's jobs, for pictures and traces.
public struct JobChart: Sendable {
  public enum Lane: Int, Sendable, CaseIterable {
    case cpu = 1
    case io, processes

    public var name: StaticString {
      switch self {
      case .cpu: "CPU"
      case .io: "I/O"
      case .processes: "processes"
      }
    }
  }

  /// One attempt.
  public struct Bar: Sendable {
    public var id: String
    public var attempt: Int32
    public var lane: Lane
    public var slot: Int32
    public var state: JobState
    public var reason: JobReason
    public var detail: Int32
    /// Nanoseconds from the beginning of the chart.
    public var start: Int64
    public var end: Int64

    public init(
      id: String, attempt: Int32, lane: Lane, slot: Int32, state: JobState,
      reason: JobReason = .none,
      detail: Int32 = 0, start: Int64, end: Int64
    ) {
      self.id = id
      self.attempt = attempt
      self.lane = lane
      self.slot = slot
      self.state = state
      self.reason = reason
      self.detail = detail
      self.start = start
      self.end = end
    }
  }

  /// What is the same for all attempts of a job.
  public struct Job: Sendable {
    public var id: String
    public var dependencies: [String]
    public var state: JobState
    public var priority: Int32
    public var hint: JobSpec.Hint
    public var memory: UInt64
    /// Nanoseconds, as above; nil: never.
    public var ready: Int64?
    public var end: Int64?

    public init(
      id: String, dependencies: [String] = [], state: JobState, priority: Int32 = 0,
      hint: JobSpec.Hint = .lightCPU, memory: UInt64 = 0, ready: Int64? = nil, end: Int64? = nil
    ) {
      self.id = id
      self.dependencies = dependencies
      self.state = state
      self.priority = priority
      self.hint = hint
      self.memory = memory
      self.ready = ready
      self.end = end
    }
  }

  public var jobs: [Job]
  /// In the order of the jobs, then of the attempts.
  public var bars: [Bar]

  public init(jobs: [Job] = [], bars: [Bar] = []) {
    self.jobs = jobs
    self.bars = bars
  }

  /// Nanoseconds from the beginning to the last end.
  public var length: Int64 { bars.reduce(0) { max($0, $1.end) } }

  /// The last attempts of the jobs that the end waited for: the one that ended last, what it needed that
  /// ended last, and so on; the first one leads.
  public var criticalPath: [Bar] {
    var last: [String: Bar] = [:]
    for bar in bars { last[bar.id] = bar }
    var needs: [String: [String]] = [:]
    for job in jobs { needs[job.id] = job.dependencies }
    var here = last.values.max { ($0.end, $1.id) < ($1.end, $0.id) }
    var path: [Bar] = []
    while let bar = here, path.count <= bars.count {
      path.append(bar)
      here = (needs[bar.id] ?? []).compactMap { last[$0] }.max {
        ($0.end, $1.id) < ($1.end, $0.id)
      }
    }
    return path.reversed()
  }
}

extension Scheduler {
  /// - Parameter origin: where times begin.
  /// - Parameter now: until when attempts last that still run.
  public func chart(from origin: Int64, until now: Int64) -> JobChart {
    var chart = JobChart()
    for handle in kept {
      guard let view = view(handle) else { continue }
      let spec = view.spec
      chart.jobs.append(
        JobChart.Job(
          id: spec.id, dependencies: spec.dependencies, state: view.state,
          priority: spec.priority, hint: spec.hint, memory: spec.memory,
          ready: view.readyTime == 0 ? nil : view.readyTime - origin,
          end: view.state.isTerminal ? view.endTime - origin : nil))
      let lane: JobChart.Lane = spec.kind.isProcesses ? .processes : spec.hint.isIO ? .io : .cpu
      for attempt in attempts(handle) {
        chart.bars.append(
          JobChart.Bar(
            id: spec.id, attempt: attempt.number, lane: lane, slot: attempt.slot,
            state: attempt.state, reason: attempt.reason, detail: attempt.detail,
            start: attempt.start - origin, end: (attempt.end == 0 ? now : attempt.end) - origin))
      }
    }
    return chart
  }
}
