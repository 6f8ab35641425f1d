// SPDX-License-Identifier: MIT
import FoundationEssentials
import Glibc
import Workpool

/// Runs a configuration serially and with workers, and judges every run.
struct Verification {
  let configuration: String
  let expected: ExpectedOutcome
  /// Worker counts, beside the serial run.
  let workers: [Int]
  let runsScripts: Bool
  /// How far packed files may be from the size of those expected, in per cent; nil: as they like.
  var sizeTolerance: Double?
  private var differences: [Found] = []
  private(set) var runs: [Rerun] = []

  /// A difference and the runs that have it.
  private struct Found {
    var file: String?
    var difference: Difference
    var runs: [String]
  }

  init(
    _ configuration: String, _ expected: ExpectedOutcome, workers: [Int], runsScripts: Bool
  ) {
    self.configuration = configuration
    self.expected = expected
    self.workers = workers
    self.runsScripts = runsScripts
  }

  mutating func run(in scratch: String) throws(Failure) {
    func rerun(_ word: String, _ mode: [String] = []) throws(Failure) -> Rerun {
      try Rerun(
        [word], mode, of: configuration, expected, scratch: scratch, scripts: runsScripts)
    }
    let check = try rerun("validate")
    switch expected.end {
    case .refusal(let text):
      runs = [check]
      judgeFailure(check, text)
      return
    case .failure, .success:
      if check.code != 0 { return tell(check, "ended with \(check.code): \(check.words)") }
      if let warning = expected.warning, !warning.isIn(check.words) {
        tell(check, "does not warn \"\(warning.text)\"")
      }
    }
    for mode in [["--serial"]] + workers.map({ ["-j", String($0)] }) {
      let run = try rerun("process", mode)
      runs.append(run)
      switch expected.end {
      case .failure(let text): judgeFailure(run, text)
      case .success, .refusal: judgeSuccess(run)
      }
      compareWithSerial(run)
    }
  }

  var isAsExpected: Bool { differences.isEmpty }

  private mutating func tell(_ run: Rerun, _ text: String) { tell(run, nil, Difference(text)) }

  private mutating func tell(_ run: Rerun, _ file: String?, _ difference: Difference) {
    let known = differences.firstIndex { $0.file == file && $0.difference == difference }
    if let known {
      differences[known].runs.append(run.name)
    } else {
      differences.append(Found(file: file, difference: difference, runs: [run.name]))
    }
  }

  /// What a person reads who has to find out why: each difference once, with the runs that have it.
  var complaints: [String] {
    var lines = differences.map { found in
      let text = (found.file.map { $0 + ": " } ?? "") + found.difference.text
      return "\(configuration): \(names(found.runs)): "
        + ([text] + found.difference.shown).joined(separator: "\n    ")
    }
    let files = Set(differences.compactMap { $0.file }).count
    if case .success = expected.end, files > 0 {
      let all = Set(expected.files).union(runs.flatMap { $0.files }).count
      lines.append(
        "\(configuration): \(files) of \(all) file\(all == 1 ? "" : "s") not as expected; "
          + "--output-dir keeps what was written")
    }
    return lines
  }

  private func names(_ names: [String]) -> String {
    names.count > 1 && names.count == runs.count
      ? "all \(names.count) runs" : names.joined(separator: ", ")
  }

  private mutating func judgeFailure(_ run: Rerun, _ text: ExpectedText) {
    if run.code == 0 {
      tell(run, "succeeds, where it should fail with \"\(text.text)\"")
    } else if !text.isIn(run.words) {
      tell(run, "fails with other words: want \"\(text.text)\", got \"\(run.words)\"")
    }
  }

  private mutating func judgeSuccess(_ run: Rerun) {
    if run.code != 0 { return tell(run, "ended with \(run.code): \(run.words)") }
    for (name, path) in [("stdout", run.output), ("stderr", run.errors)] {
      let wanted = expected.has(name) ? expected.folder + "/" + name : "/dev/null"
      if let difference = FileComparison.difference(of: path, from: wanted) {
        tell(run, name, difference)
      }
    }
    for name in expected.files where !run.files.contains(name) {
      tell(run, name, Difference("is missing"))
    }
    for name in run.files {
      if !expected.files.contains(name) {
        tell(run, name, Difference("is not expected"))
      } else if let difference = FileComparison.difference(
        of: run.folder + "/" + name, from: expected.folder + "/" + name)
      {
        tell(run, name, difference)
      } else if let sizeTolerance,
        let difference = FileComparison.differentSize(
          of: run.folder + "/" + name, from: expected.folder + "/" + name, tolerance: sizeTolerance)
      {
        tell(run, name, difference)
      }
    }
  }

  private mutating func compareWithSerial(_ run: Rerun) {
    guard let serial = runs.first, serial.name != run.name else { return }
    if run.code != serial.code {
      tell(run, "ends with \(run.code), not \(serial.code) as --serial")
    }
    if run.files != serial.files { tell(run, "writes other files than --serial") }
    var pairs = [("stdout", run.output, serial.output), ("stderr", run.errors, serial.errors)]
    for name in run.files where serial.files.contains(name) {
      pairs.append((name, run.folder + "/" + name, serial.folder + "/" + name))
    }
    for (name, path, other) in pairs {
      if let difference = FileComparison.difference(of: path, fromRun: other) {
        let text = "is not as that of --serial: \(difference.text)"
        tell(run, name, Difference(text, shown: difference.shown))
      }
    }
  }

  /// What a person reads at the end.
  var summary: String {
    let modes = runs.map { $0.name }.joined(separator: ", ")
    let what =
      switch expected.end {
      case .refusal: "refused as expected"
      case .failure: "fails as expected"
      case .success:
        expected.files.count == 1
          ? "1 file as expected" : "\(expected.files.count) files as expected"
      }
    return "\(configuration): \(what) (\(modes))\n"
  }

  /// Copies what runs wrote, a folder for each.
  func keep(in folder: String) throws(Failure) {
    do {
      for run in runs {
        let place = folder + "/" + run.name.replacing(" ", with: "")
        try FileManager.default.createDirectory(
          atPath: place, withIntermediateDirectories: true)
        let pairs =
          run.files.map { (run.folder + "/" + $0, place + "/" + $0) }
          + [(run.output, place + "/stdout"), (run.errors, place + "/stderr")]
        for (from, to) in pairs {
          try FileManager.default.createDirectory(
            atPath: ExpectedOutcome.folder(of: to), withIntermediateDirectories: true)
          try? FileManager.default.removeItem(atPath: to)  // of an earlier call
          try FileManager.default.copyItem(atPath: from, toPath: to)
        }
      }
    } catch {
      throw Failure(exitCode: .run, messages: ["\(folder): \(error)"])
    }
  }
}
