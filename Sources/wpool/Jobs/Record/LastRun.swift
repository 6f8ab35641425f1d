// SPDX-License-Identifier: MIT
import Workpool

extension Runs {
  /// The folder of a run: its own path, an id, the beginning of one, or, for nil and `last`, the last one that no
  /// job of another run began.
  static func named(_ name: String?, in logFolder: String) throws(Failure) -> String {
    if let name, name != "last" { return try folder(of: name, in: logFolder) }
    let paths = all(in: logFolder).reversed().map { logFolder + "/" + $0 }
    if let own = paths.first(where: { RunHistory.headLine($0)?["outer"] == nil }) { return own }
    return try folder(of: nil, in: logFolder)
  }

  /// The folder of the last run of the same jobs: of the same file, or of lines of the same name. nil: none.
  static func last(of plan: JobPlan, _ settings: RunSettings) -> String? {
    let path = settings.file.map { Paths.absolute($0, base: Paths.currentFolder) }
    return all(in: settings.logFolder).reversed().map { settings.logFolder + "/" + $0 }.first {
      guard let head = RunHistory.headLine($0) else { return false }
      guard let path else { return head["file"]?.text == nil && head["name"]?.text == plan.name }
      return head["file"]?.text.map {
        Paths.absolute($0, base: head["cwd"]?.text ?? "/")
      } == path
    }
  }

  /// How long jobs took when they last completed, by id, in nanoseconds; unknown ones took as long as the
  /// others on average.
  static func times(of plan: JobPlan, _ settings: RunSettings) -> [String: Int64] {
    guard let folder = last(of: plan, settings), let history = try? RunHistory(folder: folder)
    else { return [:] }
    var times: [String: Int64] = [:]
    for job in history.jobs where job.state == "COMPLETED" {
      if let attempt = job.attempts.last, let end = attempt.end {
        times[job.id] = max(1, end - attempt.start)
      }
    }
    if times.isEmpty { return [:] }
    let mean = times.values.reduce(0, +) / Int64(times.count)
    for job in plan.jobs where times[job.id] == nil { times[job.id] = max(1, mean) }
    return times
  }
}
