// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// What an earlier run spares this one.
final class ResumePlan {
  let history: RunHistory
  /// Of the earlier run's folder, for as long as this one takes from it.
  private let lock: FolderLock
  private let done: Set<String>
  private let leftOut: Set<String>
  /// Objects that finished jobs had added, by the job that did, in order.
  private(set) var added: [(adder: String, objects: [JSONValue])] = []
  /// What the user should know.
  private(set) var notes: [String] = []

  /// - Parameter onlyFailed: runs what failed and what was cancelled for it, nothing else.
  init(
    _ plan: JobPlan, folder: String, onlyFailed: Bool, orphans: Orphans.Choice
  ) throws(Failure) {
    lock = try FolderLock(of: folder)
    let history = try RunHistory(of: folder)
    self.history = history
    var finished = Set<Int>()
    var leftOut = Set<String>()
    var changed: [String] = []
    for place in plan.jobs.indices {
      let job = plan.jobs[place]
      guard let past = history.job(job.id) else { continue }
      let isSame = past.hash == DefinitionHash.of(place, plan)
      if !isSame && !past.hash.isEmpty { changed.append(job.id) }
      if past.hasDoneWork && isSame && Self.outputsAreThere(job, plan) { finished.insert(place) }
    }
    // Only what stands on finished work is finished.
    FinishedWork.keepStanding(&finished) { place in
      if plan.jobs[place].when != .success { return [] }
      return plan.jobs[place].dependencies.filter {
        !(plan.jobs[$0].settings.allowFailure ?? false)
      }
    }
    let done = Set(finished.map { plan.jobs[$0].id })
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
    do throws(WorkpoolError) {
      try Orphans(of: history).settle(orphans) { Console.note($0) }
    } catch {
      throw .usage(
        error.message + (orphans == .refuse ? "; --orphans kill, wait or ignore" : ""))
    }
  }

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
}
