// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

/// What a shell completes where a run or a job is to be named.
enum KnownNames {
  /// Ids of runs, the newest first.
  static let runs = CompletionKind.custom { words, _, _ in ["last"] + runs(words) }

  /// Ids of the jobs of the job file in the line.
  static let jobsOfFile = CompletionKind.custom { words, _, _ in
    guard let file = words.first(where: { $0.hasSuffix(".toml") || $0.hasSuffix(".json") }),
      let text = try? JobText.read(file),
      let plan = try? JobPlan(
        text, base: Paths.folder(of: file), overrides: JobSettings(), sets: [])
    else { return [] }
    return plan.jobs.map { $0.id }
  }

  /// Ids of the jobs of the run in the line.
  static let jobsOfRun = CompletionKind.custom { words, _, _ in
    let folder = folder(words)
    let known = Set(runs(words))
    let name = words.first { $0 == "last" || known.contains($0) }
    guard let path = try? Runs.named(name, in: folder),
      let history = try? RunHistory(folder: path)
    else { return [] }
    return history.jobs.map { $0.id }
  }

  private static func runs(_ words: [String]) -> [String] { Runs.all(in: folder(words)).reversed() }

  private static func folder(_ words: [String]) -> String {
    let place = words.firstIndex(of: "--log-dir").map { $0 + 1 }
    return JobRecordOptions.logFolder(place.flatMap { $0 < words.count ? words[$0] : nil })
  }
}
