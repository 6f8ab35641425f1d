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
  private(set) var differences: [String] = []
  private(set) var runs: [Rerun] = []

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

  private mutating func tell(_ run: Rerun, _ text: String) {
    differences.append(run.name + ": " + text)
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
        tell(run, "\(name): \(difference)")
      }
    }
    for name in expected.files where !run.files.contains(name) { tell(run, "\(name) is missing") }
    for name in run.files {
      if !expected.files.contains(name) {
        tell(run, "\(name) is not expected")
      } else if let difference = FileComparison.difference(
        of: run.folder + "/" + name, from: expected.folder + "/" + name)
      {
        tell(run, "\(name): \(difference)")
      } else if let sizeTolerance,
        let difference = FileComparison.differentSize(
          of: run.folder + "/" + name, from: expected.folder + "/" + name, tolerance: sizeTolerance)
      {
        tell(run, "\(name): \(difference)")
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
        tell(run, "\(name) is not as that of --serial: \(difference)")
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
