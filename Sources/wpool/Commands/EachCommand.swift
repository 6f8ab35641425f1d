// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

struct EachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "each", abstract: "Run a command for each of many words.",
    usage: """
      wpool each [<options>] -- <command> <argument> ... ::: <word> ...
      wpool each [<options>] -- <command> <argument> ... < words
      """,
    discussion: """
      {} in the command stands for the word; without one, the word comes last. Words are those \
      behind :::, or the lines of standard input. The command is started without a shell.

      wpool each -j auto -- gzip -k {} ::: *.log
      find . -name '*.png' | wpool each -j 4 --keep-order -- file {}
      """)

  @OptionGroup(title: "Limits") var limits: JobLimitOptions
  @OptionGroup(title: "Failures and times") var failures: JobFailureOptions
  @OptionGroup(title: "Record") var record: JobRecordOptions
  @OptionGroup(title: "What is shown") var words: JobWordOptions

  @Argument(parsing: .postTerminator, help: "Command, its arguments, ::: and words.")
  var command: [String] = []

  func run() throws {
    var settings = try RunSettings(
      limits: limits, failures: failures, record: record, words: words)
    let plan = try LinePlan.each(command, overrides: try failures.overrides())
    settings.settle(plan)
    settings.usesCache = false
    throw try JobSession(plan, settings, filtered: [], resumed: nil).run()
  }
}

/// Plans that no file describes.
enum LinePlan {
  /// A command for `sh` in each line that is not blank; ids are the numbers of the lines.
  static func read(_ path: String, overrides: JobSettings) throws(Failure) -> JobPlan {
    let isStream = path == "-"
    let base = Paths.currentFolder
    let jobs = try lines(isStream ? "/dev/stdin" : path).compactMap { number, line in
      line.allSatisfy(\.isWhitespace) ? nil : job(String(number), .line(line), overrides, base)
    }
    return plan(isStream ? "standard input" : path, base, jobs, overrides)
  }

  /// The command once for each word; ids are numbers.
  static func each(_ words: [String], overrides: JobSettings) throws(Failure) -> JobPlan {
    let end = words.firstIndex(of: ":::")
    var command = Array(words[..<(end ?? words.count)])
    guard !command.isEmpty else {
      throw .usage("no command; wpool each [<options>] -- <command> ... ::: <word> ...")
    }
    let items: [String]
    if let end {
      items = Array(words[(end + 1)...]).filter { $0 != ":::" }
    } else {
      items = try lines("/dev/stdin").map { $0.1 }.filter { !$0.isEmpty }
    }
    if !command.contains(where: { $0.contains("{}") }) { command.append("{}") }
    let base = Paths.currentFolder
    let jobs = items.enumerated().map { index, item in
      job(
        String(index + 1), .program(command.map { filled($0, item) }), overrides, base)
    }
    return plan("each", base, jobs, overrides)
  }

  private static func filled(_ word: String, _ item: String) -> String {
    var text = ""
    var rest = word[...]
    while let character = rest.first {
      if rest.hasPrefix("{}") {
        text += item
        rest = rest.dropFirst(2)
      } else {
        text.append(character)
        rest = rest.dropFirst()
      }
    }
    return text
  }

  private static func lines(_ path: String) throws(Failure) -> [(Int, String)] {
    do throws(WorkpoolError) {
      let bytes = try WholeFile.readAny(path)
      return bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated()
        .filter { !$0.element.isEmpty }
        .map { ($0.offset + 1, String(decoding: $0.element, as: UTF8.self)) }
    } catch {
      throw Failure(exitCode: .usage, messages: [error.text])
    }
  }

  private static func job(
    _ id: String, _ work: PlannedJob.Work, _ overrides: JobSettings, _ base: String
  ) -> PlannedJob {
    PlannedJob(id: id, work: work, settings: overrides, folder: base, path: [])
  }

  private static func plan(
    _ name: String, _ base: String, _ jobs: [PlannedJob], _ overrides: JobSettings
  ) -> JobPlan {
    JobPlan(
      name: name, base: base, jobs: jobs,
      Expansion(base: base, defaults: JobSettings(), overrides: overrides, sets: []))
  }
}
