// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Workpool

/// What a run would do if every job succeeded: the same scheduler, and jobs that end at once.
struct JobDryRun {
  private let plan: JobPlan
  private let settings: RunSettings
  private var scheduler: Scheduler
  private let filtered: Set<Int>
  private let resumed: ResumePlan?
  private let state: IncrementalState?
  private let hashes: [String]

  init(
    _ plan: JobPlan, _ settings: RunSettings, filtered: Set<Int>, resumed: ResumePlan?
  ) throws(Failure) {
    self.plan = plan
    self.settings = settings
    self.filtered = filtered
    self.resumed = resumed
    var settings = settings
    settings.gate = StartGate()
    scheduler = settings.scheduler(plan, now: 0)
    state =
      settings.usesCache && !settings.isForced
      ? try IncrementalState(plan, onlyReads: true) : nil
    hashes = DefinitionHash.all(plan)
  }

  mutating func run() throws(Failure) -> ExitCode {
    let specs = JobSession.specs(plan, settings, filtered: filtered, resumed: resumed)
    var handles: [JobHandle]
    do throws(WorkpoolError) {
      handles = try scheduler.submit(specs, at: 0)
    } catch {
      throw .usage(error.message)
    }
    handles = Array(handles[..<plan.jobs.count])
    var places: [JobHandle: Int] = [:]
    for (place, handle) in handles.enumerated() { places[handle] = place }
    var rows = TextTable(["order", "job", "state", "reason"])
    var reasons: [Int: String] = [:]
    var runs = Set<Int>()
    var order = 0
    var open: [JobHandle] = []
    while true {
      let actions = scheduler.takeActions()
      if actions.isEmpty {
        if open.isEmpty { break }
        // Those that run at once end in the order they began.
        scheduler.finish(open.removeFirst(), .completed, at: 0)
        continue
      }
      for action in actions {
        switch action {
        case .checkUpToDate(let job):
          guard let place = places[job] else { continue }
          let (isUpToDate, reason) = verdict(place, runs)
          reasons[place] = reason
          scheduler.check(job, isUpToDate: isUpToDate, at: 0)
        case .start(let job, _, _):
          guard let place = places[job] else { continue }
          order += 1
          runs.insert(place)
          rows.add([
            String(order), plan.jobs[place].id, "run",
            reasons[place] ?? (resumed == nil ? "runs" : "not done in the resumed run"),
          ])
          open.append(job)
        case .ended(let job):
          guard let place = places[job], let view = scheduler.view(job), view.state == .skipped
          else { continue }
          rows.add([
            "-", plan.jobs[place].id, "SKIPPED", reasons[place] ?? "\(view.reason.name)",
          ])
        default: break
        }
      }
    }
    return Console.write(rows.leftText)
  }

  private func verdict(_ place: Int, _ runs: Set<Int>) -> (Bool, String) {
    guard let state else { return (false, settings.isForced ? "runs: --force" : "runs: no cache") }
    let verdict = state.verdict(place, plan, hash: hashes[place])
    guard verdict.isUpToDate else { return (false, verdict.reason) }
    for other in plan.withDependencies([place]) where other != place && runs.contains(other) {
      if feeds(other, place) {
        return (false, "runs, unless what comes from \(plan.jobs[other].id) is the same as before")
      }
    }
    return (true, verdict.reason)
  }

  /// Whether an output of the one is an input of the other.
  private func feeds(_ one: Int, _ other: Int) -> Bool {
    plan.jobs[one].outputs.contains { output in
      plan.jobs[other].inputs.contains { input in
        input == output || IDPattern.matches(input, output) || IDPattern.matches(output, input)
      }
    }
  }
}
