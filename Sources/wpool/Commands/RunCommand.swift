// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run jobs in the order of their dependencies, with a record.",
    usage: """
      wpool run <jobs.toml|jobs.json> [<target> ...] [<options>]
      wpool run --lines <file|-> [<options>]
      """,
    discussion: """
      A job file names commands, what they come after, and what they take; wpool template jobs prints \
      one with all keys, wpool check checks one. \
      Each run has a folder with the logs of all jobs, a journal (run.jsonl) and a summary \
      (run.json). Ctrl-C asks running jobs to end, once more kills them, Ctrl-\\ does so at once, \
      Ctrl-Z stops them with wpool. Durations are seconds or \
      1h30m, 200ms.

      wpool run jobs.toml -j 4
      wpool run jobs.toml --resume
      wpool run --lines commands.txt -j auto --keep-order

      Exit codes: 0 all jobs completed or could be skipped; 1 a job failed, timed out or was \
      cancelled; 2 the command line or the file is wrong, nothing ran; 3 the record could not be \
      kept; 128 + N after signal N, as 130 after SIGINT.
      """)

  @Argument(help: "Job file, TOML or JSON.", completion: .file(extensions: ["toml", "json"]))
  var file: String?

  @Argument(
    help: "Jobs to run, with all they depend on: ids or patterns. [all]",
    completion: KnownNames.jobsOfFile)
  var targets: [String] = []

  @Option(
    help: ArgumentHelp(
      "A file with a command for sh in each line instead; - is standard input.",
      valueName: "file"), completion: .file())
  var lines: String?

  @OptionGroup(title: "Limits") var limits: JobLimitOptions
  @OptionGroup(title: "Failures and times") var failures: JobFailureOptions
  @OptionGroup(title: "Which jobs") var choice: JobChoiceOptions
  @OptionGroup(title: "Earlier runs") var earlier: JobResumeOptions
  @OptionGroup(title: "Record") var record: JobRecordOptions
  @OptionGroup(title: "What is shown") var words: JobWordOptions

  func run() throws {
    var settings = try RunSettings(
      limits: limits, failures: failures, record: record, words: words)
    let overrides = try failures.overrides()
    let sets = try choice.sets()
    let plan: JobPlan
    if let lines {
      if file != nil { throw Failure.usage("--lines takes the place of a job file") }
      plan = try LinePlan.read(lines, overrides: overrides)
    } else {
      guard let file else {
        let hint = access("jobs.toml", F_OK) == 0 ? "; here is jobs.toml" : "; see wpool run --help"
        throw Failure.usage("no job file" + hint)
      }
      settings.file = file
      plan = try JobPlan(
        try JobText.read(file), base: Paths.folder(of: file), overrides: overrides, sets: sets)
    }
    settings.settle(plan)
    if settings.order == .critical { settings.knownTimes = Runs.times(of: plan, settings) }
    try choice.apply(to: &settings, plan)
    var filtered = try choice.filtered(plan, targets: targets, mayBeRuns: earlier.isLast)
    if let shard = settings.shard, case .part(_, let count) = shard {
      filtered.formUnion(Shards(plan, count: count).others(than: shard))
    }
    let resumed = try earlier.resumePlan(plan, settings)
    if choice.dryRun {
      var dryRun = try JobDryRun(plan, settings, filtered: filtered, resumed: resumed)
      throw try dryRun.run()
    }
    for note in resumed?.notes ?? [] { Console.note(note) }
    throw try JobSession(plan, settings, filtered: filtered, resumed: resumed).run()
  }
}

/// Which jobs of a file run.
struct JobChoiceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Only these jobs and what they depend on; repeatable.", valueName: "pattern"),
    completion: KnownNames.jobsOfFile)
  var only: [String] = []

  @Option(
    help: ArgumentHelp("Not these; what depends on them runs. Repeatable.", valueName: "pattern"),
    completion: KnownNames.jobsOfFile)
  var skip: [String] = []

  @Option(
    help: ArgumentHelp("Set a key of a job; repeatable.", valueName: "job.key=value"))
  var set: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      Run the i-th of n parts, from 0, that no dependency crosses, or, with gather, the jobs of none. \
      [$WPOOL_SHARD]
      """, valueName: "i/n|gather"))
  var shard: ShardChoice?

  @Option(
    help: ArgumentHelp(
      "With --shard gather: the journals of all parts.", valueName: "pattern"))
  var merge: String?

  @Flag(help: "Run jobs that are up to date, too.")
  var force = false

  @Flag(help: "Neither read nor write which jobs are up to date. [$WPOOL_NO_CACHE=1]")
  var noCache = false

  @Flag(help: "Tell why a job with inputs or outputs runs or does not.")
  var explain = false

  @Flag(
    name: [.customShort("n"), .long],
    help: "Print what would run, in which order and why; start nothing, write nothing.")
  var dryRun = false

  func sets() throws(Failure) -> [SetOption] {
    var sets: [SetOption] = []
    for text in set { sets.append(try SetOption(text)) }
    return sets
  }

  func apply(to settings: inout RunSettings, _ plan: JobPlan) throws(Failure) {
    settings.shard = try Environment.value(shard, or: "WPOOL_SHARD")
    if (settings.shard == .gather) != (merge != nil) {
      throw .usage("--shard gather and --merge belong together")
    }
    if let merge { settings.merged = try MergedShards(plan, merge: merge) }
    settings.isForced = force
    let variable = try Environment.value(nil as OnOff?, or: "WPOOL_NO_CACHE")?.isOn ?? false
    settings.usesCache = !(noCache || variable)
    settings.explains = explain
  }

  /// Places of jobs that shall not run.
  /// - Parameter mayBeRuns: a target may have been meant as a run.
  func filtered(
    _ plan: JobPlan, targets: [String], mayBeRuns: Bool
  ) throws(Failure) -> Set<Int> {
    func places(_ pattern: String, _ word: String) throws(Failure) -> [Int] {
      let found = plan.matches(pattern)
      guard !found.isEmpty else {
        let mayBeRun = word.isEmpty && mayBeRuns
        throw .usage(
          "\(word)\(pattern): there is no such job" + (mayBeRun ? ", and no such run" : "")
            + Spelling.hint(pattern, among: plan.jobs.map { $0.id }))
      }
      return found
    }
    var left = Set<Int>()
    var wanted = Set<Int>()
    for pattern in only { wanted.formUnion(try places(pattern, "--only ")) }
    for pattern in targets { wanted.formUnion(try places(pattern, "")) }
    if !only.isEmpty || !targets.isEmpty {
      left = Set(plan.jobs.indices).subtracting(plan.withDependencies(wanted))
    }
    for pattern in skip { left.formUnion(try places(pattern, "--skip ")) }
    return left
  }
}

/// Going on from an earlier run.
struct JobResumeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run what this run, or without a value the last one of the same jobs, has not done.",
      valueName: "run"), completion: KnownNames.runs)
  var resume: String?

  @Option(
    help: ArgumentHelp(
      "Run only what failed in this run, or the last one, and what was cancelled for it.",
      valueName: "run"), completion: KnownNames.runs)
  var retryFailed: String?

  @Option(
    help: ArgumentHelp(
      "Processes of a resumed run that still run: refuse, kill, wait or ignore. [refuse]",
      valueName: "outcome"))
  var orphans: Orphans.Choice?

  /// Whether the word behind one of the options was taken for none of a run.
  var isLast: Bool { (resume ?? retryFailed) == "last" }

  func resumePlan(_ plan: JobPlan, _ settings: RunSettings) throws(Failure) -> ResumePlan? {
    if resume != nil && retryFailed != nil {
      throw .usage("--resume and --retry-failed exclude each other")
    }
    guard let name = resume ?? retryFailed else {
      if orphans != nil { throw .usage("--orphans is for --resume and --retry-failed") }
      return nil
    }
    let folder: String
    if name == "last" {
      guard let last = Runs.last(of: plan, settings) else {
        throw .usage("there is no run of \(settings.file ?? plan.name) in \(settings.logFolder)")
      }
      folder = last
    } else {
      folder = try Runs.folder(of: name, in: settings.logFolder)
    }
    return try ResumePlan(
      plan, folder: folder, onlyFailed: retryFailed != nil, orphans: orphans ?? .refuse)
  }
}

/// `--resume` and `--retry-failed` may stand without a value, which the parser does not know.
enum OptionalValues {
  private static let options = ["--resume", "--retry-failed"]

  static func filledIn(_ words: [String]) -> [String] {
    guard words.first == "run" || words.first == "each" else { return words }
    var result: [String] = []
    for (index, word) in words.enumerated() {
      if word == "--" { return result + words[index...] }
      guard options.contains(word) else {
        result.append(word)
        continue
      }
      let next = index + 1 < words.count ? words[index + 1] : ""
      result.append(isRun(next, words) ? word : word + "=last")
    }
    return result
  }

  private static func isRun(_ word: String, _ words: [String]) -> Bool {
    if word.isEmpty || word.hasPrefix("-") { return false }
    if word == "last" || RunName.isULID(word) { return true }
    var folder: String?
    for (index, other) in words.enumerated() {
      if other == "--log-dir", index + 1 < words.count { folder = words[index + 1] }
      if other.hasPrefix("--log-dir=") { folder = String(other.dropFirst(10)) }
    }
    let paths = [word, JobRecordOptions.logFolder(folder) + "/" + word]
    return paths.contains { access($0 + "/run.jsonl", F_OK) == 0 }
  }
}
