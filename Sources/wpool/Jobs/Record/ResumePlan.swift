// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// What an earlier run spares this one.
final class ResumePlan {
  let history: RunHistory
  /// Of the earlier run's folder, for as long as this one takes from it.
  private let lock: Int32
  private let done: Set<String>
  private let leftOut: Set<String>
  /// Objects that finished jobs had added, by the job that did, in order.
  private(set) var added: [(adder: String, objects: [JSONValue])] = []
  /// What the user should know.
  private(set) var notes: [String] = []

  enum Orphans: String, CaseIterable { case refuse, kill, wait, ignore }

  /// - Parameter onlyFailed: runs what failed and what was cancelled for it, nothing else.
  init(
    _ plan: JobPlan, folder: String, onlyFailed: Bool, orphans: Orphans
  ) throws(Failure) {
    lock = try RunFolder.lock(folder)
    let history = try RunHistory(folder: folder)
    self.history = history
    var done = Set<String>()
    var leftOut = Set<String>()
    var changed: [String] = []
    for place in plan.jobs.indices {
      let job = plan.jobs[place]
      guard let past = history.job(job.id) else { continue }
      let isSame = past.hash == DefinitionHash.of(place, plan)
      if !isSame && !past.hash.isEmpty { changed.append(job.id) }
      if past.hasDoneWork && isSame && Self.outputsAreThere(job, plan) { done.insert(job.id) }
    }
    // Only what stands on finished work is finished.
    var isStable = false
    while !isStable {
      isStable = true
      for job in plan.jobs where done.contains(job.id) {
        let stands = job.dependencies.allSatisfy {
          let other = plan.jobs[$0]
          return done.contains(other.id)
            || (other.settings.allowFailure ?? false) || job.when != .success
        }
        if !stands {
          done.remove(job.id)
          isStable = false
        }
      }
    }
    if onlyFailed {
      for job in plan.jobs where !done.contains(job.id) {
        guard let past = history.job(job.id) else {
          leftOut.insert(job.id)
          continue
        }
        let root = past.root.flatMap { history.job($0) }
        let isFailed = past.state == "FAILED" || past.state == "TIMEOUT"
        let isVictim =
          past.state == "CANCELLED" && past.reason == "dependency"
          && (root?.state == "FAILED" || root?.state == "TIMEOUT")
        if !isFailed && !isVictim { leftOut.insert(job.id) }
      }
    }
    self.done = done
    self.leftOut = leftOut
    if !changed.isEmpty { notes.append("changed since then: " + changed.joined(separator: ", ")) }
    let vanished = history.jobs.filter { plan.places[$0.id] == nil && $0.adder == nil }.map {
      $0.id
    }
    if !vanished.isEmpty { notes.append("no longer there: " + vanished.joined(separator: ", ")) }
    for job in history.jobs {
      guard let adder = job.adder, let definition = job.addedText else { continue }
      if let index = added.firstIndex(where: { $0.adder == adder }) {
        added[index].objects.append(definition)
      } else {
        added.append((adder, [definition]))
      }
    }
    try settleOrphans(orphans)
  }

  deinit { close(lock) }

  func isDone(_ id: String) -> Bool { done.contains(id) }
  /// Of a job that another one had added.
  func isDone(_ place: Int, _ plan: JobPlan) -> Bool {
    guard let past = history.job(plan.jobs[place].id) else { return false }
    return past.hasDoneWork && past.hash == DefinitionHash.of(place, plan)
      && Self.outputsAreThere(plan.jobs[place], plan)
  }
  func isLeftOut(_ id: String) -> Bool { leftOut.contains(id) }

  private static func outputsAreThere(_ job: PlannedJob, _ plan: JobPlan) -> Bool {
    job.outputs.allSatisfy { output in
      Paths.isPattern(output)
        ? !Paths.matching(output, base: plan.base).isEmpty
        : access(Paths.absolute(output, base: plan.base), F_OK) == 0
    }
  }

  // MARK: Orphans

  /// Processes of jobs whose end nobody wrote down.
  private func orphans() -> [(job: String, process: Int32)] {
    guard history.bootID == Surroundings.bootID else { return [] }
    let interrupted = Set(history.jobs.filter { $0.isInterrupted }.map { $0.id })
    guard !interrupted.isEmpty else { return [] }
    var room = [Int32](repeating: 0, count: 65_536)
    let count = wpl_process_all(&room, 65_536)
    var found: [(job: String, process: Int32)] = []
    for process in room[..<Int(max(0, min(count, 65_536)))] {
      var text = [CChar](repeating: 0, count: 512)
      guard wpl_process_variable(process, "WPOOL_RUN_ID", &text, 512) > 0,
        Surroundings.text(text) == history.id,
        wpl_process_variable(process, "WPOOL_JOB_ID", &text, 512) > 0,
        wpl_process_start_ticks(process) > 0
      else { continue }
      let job = Surroundings.text(text)
      if interrupted.contains(job) { found.append((job, process)) }
    }
    return found
  }

  private func settleOrphans(_ choice: Orphans) throws(Failure) {
    var found = orphans()
    guard !found.isEmpty, choice != .ignore else { return }
    if choice == .refuse {
      throw .usage(
        "processes of the run \(history.id) still run: "
          + found.map { "\($0.process) (\($0.job))" }.joined(separator: ", ")
          + "; --orphans kill, wait or ignore")
    }
    if choice == .kill {
      for (number, wait) in [(wpl_sigterm, 200), (wpl_sigkill, 200)] {
        for orphan in found { _ = wpl_process_signal(orphan.process, number) }
        for _ in 0..<wait where !found.isEmpty {
          wpl_sleep(10_000_000)
          found = found.filter { wpl_process_start_ticks($0.process) > 0 }
        }
      }
      guard found.isEmpty else {
        throw .usage(
          "processes cannot be ended: " + found.map { "\($0.process)" }.joined(separator: ", "))
      }
      return
    }
    Console.note(
      "waiting for processes of the run \(history.id): "
        + found.map { "\($0.process) (\($0.job))" }.joined(separator: ", "))
    while !orphans().isEmpty {
      let watch = found.first.map { wpl_process_watch($0.process) } ?? -1
      if watch >= 0 {
        _ = wpl_file_wait_input(watch, 1000)
        close(watch)
      } else {
        wpl_sleep(50_000_000)
      }
      found = orphans()
    }
  }
}
