// SPDX-License-Identifier: MIT
import ArgumentParser
import FoundationEssentials
import Workpool

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Run configurations again and compare with the outputs beside them.",
    discussion: """
      Runs each configuration in a scratch folder, with links to its inputs: serially, and with each \
      number of workers. Every run has to write the files beside the configuration whose names \
      begin with its prefix, and no others, and all runs the same. Packed files are compared \
      unpacked, and with those of the other runs as they are; JSON by its values, without those \
      that tell of the run. Files stdout and stderr say what is written there, stdin is what is \
      read. With expected_error.txt or .regex beside it, validate has to fail with these words; with \
      expected_runtime_error.txt or .regex, process has to; expected_validation_warning.txt or \
      .regex is what validate has to say. Exit codes: 0 as expected; 1 not; 2 the command line is wrong.
      """)

  @Argument(
    help: "Configurations, TOML files. [the only one of this folder]",
    completion: .file(extensions: ["toml"]))
  var configs: [String] = []

  @Option(
    help: ArgumentHelp(
      "When something differs: keep what was written here, a folder for each run.",
      valueName: "folder"), completion: .directory)
  var outputDir: String?

  @Option(
    help: ArgumentHelp("Numbers of workers, beside the serial run.", valueName: "n,..."))
  var workers = WorkerCounts([1, 2, 3, 8])

  @Option(
    help: ArgumentHelp(
      "Compare the size of packed files, too, which may differ by so many per cent.",
      valueName: "percent"))
  var sizeTolerance: Double?

  @Flag(
    name: [.long, .customLong("unsafe-call-prep-sh")],
    help: "Run prep.sh before, test.sh in the place of, and post.sh after each run.")
  var allowScripts = false

  func run() throws {
    let paths = try configs.isEmpty ? [OnlyConfiguration.find()] : configs
    if let sizeTolerance, !(sizeTolerance >= 0) {
      throw Failure.usage("--size-tolerance is a number from 0, not \(sizeTolerance)")
    }
    let all = try paths.map { path in (path, try expected(of: path)) }
    do { try Interrupts.cancel(Token()) } catch { throw Failure(beforeStart: error) }
    var wrong = 0
    for (path, expected) in all {
      var verification = Verification(
        path, expected, workers: workers.counts, runsScripts: allowScripts)
      verification.sizeTolerance = sizeTolerance
      let scratch = try Self.makeScratch()
      defer { try? FileManager.default.removeItem(atPath: scratch) }
      try verification.run(in: scratch)
      if verification.isAsExpected {
        let code = Console.write(verification.summary)
        guard code == .success else { throw code }
        continue
      }
      wrong += 1
      if let outputDir {
        try verification.keep(in: outputDir + (all.count > 1 ? "/" + Self.stem(path) : ""))
      }
      for complaint in verification.complaints { Console.say(complaint) }
    }
    if all.count > 1 && wrong > 0 {
      Console.say("\(wrong) of \(all.count) configurations not as expected")
    }
    throw wrong == 0 ? ExitCode.success : ExitCode.run
  }

  private func expected(of path: String) throws(Failure) -> ExpectedOutcome {
    let expected = try ExpectedOutcome(configuration: path)
    let scripts = ["prep.sh", "test.sh", "post.sh"].filter { expected.has($0) }
    if let script = scripts.first, !allowScripts {
      throw .usage("\(expected.folder)/\(script) is there; --allow-scripts runs it")
    }
    return expected
  }

  /// A path without its suffix, as the name of a folder inside another one.
  private static func stem(_ path: String) -> String {
    String(path.dropLast(path.hasSuffix(".toml") ? 5 : 0)).replacing("/", with: "_")
  }

  private static func makeScratch() throws(Failure) -> String {
    let folder = FileManager.default.temporaryDirectory.path + "/wpool-verify-\(UUID().uuidString)"
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: false)
    } catch {
      throw Failure(exitCode: .run, messages: ["\(folder): \(error)"])
    }
    return folder
  }
}

/// `1,2,8`
struct WorkerCounts: ExpressibleByArgument {
  let counts: [Int]

  init(_ counts: [Int]) { self.counts = counts }

  init?(argument: String) {
    var counts: [Int] = []
    for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let count = Int(word), 1...1024 ~= count else { return nil }
      counts.append(count)
    }
    self.counts = counts
  }

  var defaultValueDescription: String { counts.map(String.init).joined(separator: ",") }
}
