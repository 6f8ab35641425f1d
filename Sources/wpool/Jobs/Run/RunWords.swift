// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// The last words of a run, on standard error.
struct RunWords {
  private static let mostFailures = 20
  private static let mostLines = 20
  private static let mostNames = 12

  let plan: JobPlan
  let scheduler: Scheduler
  let handles: [JobHandle]
  let folder: RunFolder
  /// Jobs have ids that somebody chose.
  let hasFile: Bool
  let seconds: Double

  func tell(_ sums: JobSums) {
    tellFailures()
    tellCancellations()
  }

  /// `ok 41, skipped 3, failed 1, timeout 0, cancelled 5 in 12.3s (×3.4)`
  func tellSums(_ sums: JobSums) {
    let factor = Double(scheduler.numbers.executionNanoseconds) / 1e9 / max(seconds, 1e-9)
    _ = Console.put(
      "ok \(sums.ok), skipped \(sums.skipped), failed \(sums.failed), timeout \(sums.timeout), "
        + "cancelled \(sums.cancelled) in \(Figures.fixed(seconds, 1))s "
        + "(×\(Figures.fixed(factor, 1)))\n", to: 2)
  }

  private func tellFailures() {
    var told = 0
    var untold = 0
    for (place, handle) in handles.enumerated() {
      guard let view = scheduler.view(handle), view.state == .failed || view.state == .timeout
      else { continue }
      guard told < Self.mostFailures else {
        untold += 1
        continue
      }
      told += 1
      let job = plan.jobs[place]
      // What could not start has written nothing, and the text says why.
      let isSpawn = view.reason == .spawn && !view.text.isEmpty
      var text = job.id + (hasFile ? " " : " (\(job.shortCommand)) ")
      text +=
        isSpawn
        ? "failed: " + view.text
        : JobWords.how("\(view.state.name)", "\(view.reason.name)", Int(view.detail))
      if view.attempt > 1 { text += " in attempt \(view.attempt)" }
      if job.settings.allowFailure ?? false { text += ", which it may" }
      let log = folder.file(job.id, attempt: max(1, view.attempt), "err")
      let lines = SmallFile.tail(log, bytes: 16_384).split(
        omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      if view.reason == .error { text += ": " + view.text }
      Console.say(text + (!isSpawn && access(log, F_OK) == 0 ? "; log: " + log : ""))
      let shown = lines.last == "" ? lines.dropLast() : lines[...]
      for line in shown.suffix(Self.mostLines) { _ = Console.put("    \(line)\n", to: 2) }
    }
    if untold > 0 { Console.say("… and \(untold) more; wpool report \(folder.path)") }
  }

  /// By what they were cancelled for.
  private func tellCancellations() {
    var groups: [(cause: String, ids: [String])] = []
    var places: [String: Int] = [:]
    for (place, handle) in handles.enumerated() {
      guard let view = scheduler.view(handle), view.state == .cancelled else { continue }
      let cause = cause(view)
      if let group = places[cause] {
        groups[group].ids.append(plan.jobs[place].id)
      } else {
        places[cause] = groups.count
        groups.append((cause, [plan.jobs[place].id]))
      }
    }
    for group in groups {
      var names = group.ids.prefix(Self.mostNames).joined(separator: ", ")
      if group.ids.count > Self.mostNames {
        names += " and \(group.ids.count - Self.mostNames) more"
      }
      Console.say("cancelled, \(group.cause): \(names)")
    }
  }

  private func cause(_ view: JobView) -> String {
    guard let root = scheduler.causes(view.job).first, root != view.job,
      let known = scheduler.view(root)
    else {
      switch view.reason {
      case .user: return "as asked"
      case .runDeadline: return "as the time of the run is over"
      default: return "\(view.reason.name)"
      }
    }
    let how = JobWords.how("\(known.state.name)", "\(known.reason.name)", Int(known.detail))
    return (view.reason == .stop ? "as the run stops: " : "because ") + "\(known.spec.id) \(how)"
  }
}
