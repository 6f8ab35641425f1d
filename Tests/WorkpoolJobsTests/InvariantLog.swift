// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

/// Reads the events of a scheduler in their order and says which of the promises about them is broken:
///
/// (a) one terminal event per job, (b) `seq` without gaps and times that never go back, (c) at every prefix
/// what is held is within the limits, (d) no start before all dependencies are terminal, (e) no more
/// starts than attempts, (g) what ended adds up.
struct InvariantLog {
  private struct Seen {
    var spec: JobSpec
    var isTerminal = false
    var starts = 0
    var isHolding = false
  }

  let limits: JobLimits
  private var jobs: [String: Seen] = [:]
  private var lastSeq: UInt64 = 0
  private var lastTime: Int64 = .min
  private var slots = 0
  private var ioSlots = 0
  private var memory: UInt64 = 0
  private var units: [String: Int] = [:]
  private(set) var terminal = 0
  /// Ids in the order of their starts.
  private(set) var starts: [String] = []
  /// The first promise that was broken.
  private(set) var violation: String?

  init(_ limits: JobLimits) { self.limits = limits }

  mutating func add(_ specs: [JobSpec]) {
    for spec in specs { jobs[spec.id] = Seen(spec: spec) }
  }

  mutating func read(_ events: [JobEvent]) {
    for event in events { read(event) }
  }

  private mutating func note(_ what: String) {
    if violation == nil { violation = what }
  }

  private mutating func read(_ event: JobEvent) {
    if !(event.seq == lastSeq + 1) { note("(b) seq \(event.seq) after \(lastSeq)") }
    if !(event.time >= lastTime) { note("(b) time goes back at \(event.seq)") }
    lastSeq = event.seq
    lastTime = event.time
    guard event.job != nil, jobs[event.id] != nil else { return }
    let id = event.id
    switch event.kind {
    case .jobStarted:
      if !(!jobs[id]!.isTerminal) { note("(a) \(id) starts after its end") }
      for need in jobs[id]!.spec.dependencies {
        if !(jobs[need]?.isTerminal == true) { note("(d) \(id) starts before \(need) has ended") }
      }
      jobs[id]!.starts += 1
      if !(jobs[id]!.starts <= 1 + jobs[id]!.spec.retry.maxRetries) {
        note("(e) \(id) starts too often")
      }
      starts.append(id)
      hold(id, 1)
    case .jobRetrying:
      hold(id, -1)
    case .jobFinished, .jobSkipped:
      if !(!jobs[id]!.isTerminal) { note("(a) \(id) ends twice") }
      if !(event.state.isTerminal) { note("(a) \(id) ends as \(event.state)") }
      if !((event.kind == .jobSkipped) == (event.state == .skipped)) {
        note("(a) kind of end of \(id)")
      }
      jobs[id]!.isTerminal = true
      terminal += 1
      if jobs[id]!.isHolding && !event.isAbandoned { hold(id, -1) }
    case .jobReturned:
      hold(id, -1)
    default:
      break
    }
  }

  private mutating func hold(_ id: String, _ sign: Int) {
    if !(jobs[id]!.isHolding == (sign < 0)) { note("(c) \(id) takes or gives twice") }
    jobs[id]!.isHolding = sign > 0
    let spec = jobs[id]!.spec
    if spec.hint.isIO && limits.ioSlots > 0 {
      ioSlots += sign * spec.cpus
    } else {
      slots += sign * spec.cpus
    }
    memory = sign > 0 ? memory + spec.memory : memory - spec.memory
    for request in spec.pools { units[request.name, default: 0] += sign * request.count }
    if !(slots <= limits.slots) { note("(c) \(slots) slots of \(limits.slots)") }
    if !(ioSlots <= limits.ioSlots) { note("(c) \(ioSlots) I/O slots of \(limits.ioSlots)") }
    if !(limits.memory == 0 || memory <= limits.memory) { note("(c) \(memory) bytes") }
    for pool in limits.pools {
      if !(units[pool.name, default: 0] <= pool.count) { note("(c) pool \(pool.name)") }
    }
  }

  /// After everything: all have ended.
  mutating func finish(accepted: Int) {
    if !(terminal == accepted) { note("(g) \(terminal) of \(accepted) ended") }
    if !(slots == 0 && ioSlots == 0 && memory == 0) { note("(c) something is held for ever") }
  }
}
