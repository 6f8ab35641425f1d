// SPDX-License-Identifier: MIT

/// Events, and chains of causes.
extension Scheduler {
  static let chainInEvents = 32

  mutating func emit(_ kind: JobEvent.Kind) {
    seq += 1
    guard eventMask & kind.bit != 0 else { return }
    events.append(JobEvent(kind, seq: seq, time: time))
  }

  @inline(__always)
  mutating func emit(_ kind: JobEvent.Kind, _ index: Int) {
    seq += 1
    guard eventMask & kind.bit != 0 else { return }
    build(kind, index)
  }

  /// With what is not, or not yet, in the job itself.
  mutating func emit(
    _ kind: JobEvent.Kind, _ index: Int, state: JobState? = nil, reason: JobReason,
    detail: Int32 = 0, text: String = ""
  ) {
    emit(kind, index)
    guard eventMask & kind.bit != 0 else { return }
    let last = events.count - 1
    events[last].state = state ?? jobs[index].state
    events[last].reason = reason
    events[last].detail = detail
    events[last].text = text
    if kind == .jobRetrying { events[last].retryTime = jobs[index].retryTime }
  }

  /// Something that did not happen to the state of a job.
  public mutating func report(
    _ kind: JobEvent.Kind, _ job: JobHandle?, _ text: String, at now: Int64
  ) {
    enter(now)
    if let job, let index = index(job) {
      emit(kind, index, reason: jobs[index].reason, text: text)
    } else {
      emit(kind)
      if eventMask & kind.bit != 0 { events[events.count - 1].text = text }
    }
  }

  /// Something that happened inside a job.
  public mutating func report(
    _ kind: JobEvent.Kind, _ job: JobHandle, at now: Int64, _ fill: (inout JobEvent) -> Void
  ) {
    enter(now)
    guard let index = index(job) else { return }
    emit(kind, index)
    if eventMask & kind.bit != 0 { fill(&events[events.count - 1]) }
  }

  private mutating func build(_ kind: JobEvent.Kind, _ index: Int) {
    let job = jobs[index]
    var event = JobEvent(kind, seq: seq, time: time)
    event.job = handle(index)
    event.id = job.id
    event.state = job.state
    event.attempt = job.attempt
    event.slot = job.lastAttempt.slot
    if job.state.isTerminal {
      event.reason = job.reason
      event.detail = job.detail
      event.text = job.text
      event.isAbandoned = job.isAbandoned && job.isHolding
      if job.link >= 0 {
        event.chain = chain(index, most: Self.chainInEvents).map { jobs[$0].id }
      }
    }
    events.append(event)
  }

  /// The job and what it was cancelled for, the root cause first.
  /// - Parameter most: the root and the last ones before the job, no more.
  func chain(_ index: Int, most: Int = .max) -> [Int] {
    var chain = [index]
    var here = index
    while jobs[here].link >= 0 {
      here = Int(jobs[here].link)
      if chain.count < most {
        chain.append(here)
      } else {
        chain[most - 1] = here
      }
    }
    return chain.reversed()
  }
}
