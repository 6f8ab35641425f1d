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
      {} in the command stands for the word, {.} for it without its extension, {/} without its folder, \
      {//} for its folder, {/.} for what is without both, {#} for the number of the job; without any, \
      the word comes last. Words are those behind :::, or the lines of standard input. A second ::: \
      combines each word with each: {1} and {2} tell them apart. The command is started without a shell.

      wpool each -j auto -- gzip -k {} ::: *.log
      wpool each -j 4 -- convert {} small/{/.}.jpg ::: photos/*.png
      wpool each -- sh train.sh --rate {1} --size {2} ::: 0.1 0.01 ::: 32 64
      find . -name '*.png' -print0 | wpool each -0 -j 4 --keep-order -- file {}
      """)

  @Flag(name: [.customShort("0"), .long], help: "Words of standard input end with a NUL byte.")
  var null = false

  @Flag(
    name: [.customShort("n"), .long], help: "Print the commands; start nothing, write nothing.")
  var dryRun = false

  @OptionGroup(title: "Limits") var limits: JobLimitOptions
  @OptionGroup(title: "Failures and times") var failures: JobFailureOptions
  @OptionGroup(title: "Earlier runs") var earlier: JobResumeOptions
  @OptionGroup(title: "Record") var record: JobRecordOptions
  @OptionGroup(title: "What is shown") var words: JobWordOptions

  @Argument(parsing: .postTerminator, help: "Command, its arguments, ::: and words.")
  var command: [String] = []

  func run() throws {
    // A name that is damaged is another file's.
    for argument in Self.arguments where String(validatingCString: argument) == nil {
      throw Failure.usage("\(String(cString: argument)): this word is not UTF-8 text")
    }
    var settings = try RunSettings(
      limits: limits, failures: failures, record: record, words: words)
    let plan = try LinePlan.each(command, null: null, overrides: try failures.overrides())
    if dryRun {
      throw Console.write(plan.jobs.map { $0.commandText + "\n" }.joined())
    }
    settings.settle(plan)
    settings.usesCache = false
    let resumed = try earlier.resumePlan(plan, settings)
    for note in resumed?.notes ?? [] { Console.note(note) }
    throw try JobSession(plan, settings, filtered: [], resumed: resumed).run()
  }
}

extension EachCommand {
  /// As they are, which Swift's own may not be.
  fileprivate static var arguments: [UnsafePointer<CChar>] {
    (0..<Int(CommandLine.argc)).compactMap { index in
      CommandLine.unsafeArgv[index].map { UnsafePointer($0) }
    }
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
  static func each(
    _ words: [String], null: Bool, overrides: JobSettings
  ) throws(Failure) -> JobPlan {
    let parts = words.split(separator: ":::", omittingEmptySubsequences: false).map(Array.init)
    guard let command = parts.first, !command.isEmpty else {
      throw .usage("no command; wpool each [<options>] -- <command> ... ::: <word> ...")
    }
    let lists =
      parts.count > 1
      ? Array(parts[1...]) : [try lines("/dev/stdin", end: null ? 0 : 10).map { $0.text }]
    let filler = try EachWords(command, lists: lists.count)
    let base = Paths.currentFolder
    let jobs = EachWords.combinations(lists).enumerated().map { index, words in
      var job = job(
        String(index + 1), .program(filler.filled(words, number: index + 1)), overrides, base)
      job.words = words.joined(separator: " ")
      return job
    }
    return plan("each", base, jobs, overrides)
  }

  /// What is not empty of a file, and its numbers, from 1.
  private static func lines(
    _ path: String, end: UInt8 = 10
  ) throws(Failure) -> [(number: Int, text: String)] {
    let bytes: [UInt8]
    do throws(WorkpoolError) {
      bytes = try WholeFile.readAny(path)
    } catch {
      throw Failure(exitCode: .usage, messages: [error.text])
    }
    var lines: [(number: Int, text: String)] = []
    for (index, line) in bytes.split(separator: end, omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty {
      // A name that is damaged is another file's.
      guard let text = String(validating: line, as: UTF8.self) else {
        let seen = String(decoding: line, as: UTF8.self)
        throw .usage("\(path): line \(index + 1) is not UTF-8 text: \(seen)")
      }
      if end != 0 && line.contains(0) {
        throw .usage(
          "\(path): line \(index + 1) has a NUL byte; -0 of wpool each is for words that end with one"
        )
      }
      lines.append((index + 1, text))
    }
    return lines
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
