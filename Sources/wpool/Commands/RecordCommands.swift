// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Glibc
import Workpool

/// Which folder runs are in.
struct LogFolderOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder of the runs. [$WPOOL_LOG_DIR, or .wpool/runs]", valueName: "folder"),
    completion: .directory)
  var logDir: String?

  var folder: String { JobRecordOptions.logFolder(logDir) }

  func history(_ run: String?) throws(Failure) -> RunHistory {
    try RunHistory(of: try Runs.named(run, in: folder))
  }
}

extension RunHistory {
  /// `running`, `finished`, or `interrupted` where nobody holds the run any more.
  var condition: String {
    if isFinished { return "finished" }
    guard (try? FolderLock(of: path)) != nil else { return "running" }
    return "interrupted"
  }

  func count(_ state: String) -> Int { jobs.count { $0.state == state } }

  /// `ok 3, failed 1, running 2`, without what there is none of.
  var countsText: String {
    let words = [
      ("ok", "COMPLETED"), ("skipped", "SKIPPED"), ("failed", "FAILED"), ("timeout", "TIMEOUT"),
      ("cancelled", "CANCELLED"), ("running", "RUNNING"), ("ready", "READY"),
      ("waiting", "WAITING"), ("not begun", ""),
    ]
    let parts = words.compactMap { word, state in
      count(state) > 0 ? "\(word) \(count(state))" : nil
    }
    return parts.isEmpty ? "no jobs" : parts.joined(separator: ", ")
  }
}

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Tell where the jobs of a run are.",
    usage: "wpool status [<run>] [--json]",
    discussion:
      "Without a run it is the last one. A run is named by its id, or the beginning of it.")

  @Argument(
    help: ArgumentHelp("Id or folder of a run. [the last one]", valueName: "run"),
    completion: KnownNames.runs)
  var name: String?
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var runs: LogFolderOption

  func run() throws {
    let history = try runs.history(name)
    if json { throw Console.write(Self.json(history)) }
    var text = "run \(history.id): \(history.condition), \(history.countsText)\n"
    var table = TextTable(["job", "state", "attempts", "time"])
    for job in history.jobs {
      let time = job.attempts.last.map {
        Duration.text(($0.end ?? history.lastTime) - $0.start)
      }
      table.add([
        job.id,
        job.isTerminal
          ? JobWords.how(job.state, job.reason, job.detail) : job.state.isEmpty ? "-" : job.state,
        String(job.attempts.count), time ?? "-",
      ])
    }
    text += table.leftText
    for job in history.jobs {
      for warning in job.warnings { text += "warning: \(job.id): \(warning)\n" }
    }
    throw Console.write(text)
  }

  private static func json(_ history: RunHistory) -> String {
    JSONValue.object([
      .init("run", .text(history.id)), .init("condition", .text(history.condition)),
      .init(
        "jobs",
        .list(
          history.jobs.map { job in
            .object([
              .init("id", .text(job.id)), .init("state", .text(job.state)),
              .init("reason", .text(job.reason)), .init("detail", .int(job.detail)),
              .init("attempts", .int(job.attempts.count)),
              .init("chain", .list(job.chain.map { .text($0) })),
            ])
          })),
    ]).line + "\n"
  }
}

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs", abstract: "Print what a job of a run has written.",
    usage: """
      wpool logs <run> <job> [--errors] [--attempt <n>] [-f]
      wpool logs <run> <job> --item <n> [--attempt <n>]
      """,
    discussion: "A run is named by its id, the beginning of it, or last.")

  @Argument(
    help: ArgumentHelp("Id or folder of a run, or last.", valueName: "run"),
    completion: KnownNames.runs)
  var name: String
  @Argument(help: "Id of a job.", completion: KnownNames.jobsOfRun) var job: String
  @Flag(help: "What it wrote to standard error.") var errors = false
  @Option(help: ArgumentHelp("Of this attempt. [the last one]", valueName: "n")) var attempt: Count?
  @Option(help: ArgumentHelp("Of a batch: of all attempts of this item, from 0.", valueName: "n"))
  var item: WholeNumber?
  @Flag(name: [.customShort("f"), .long], help: "Go on until the job has ended.")
  var follow = false
  @OptionGroup var runs: LogFolderOption

  func run() throws {
    let folder = try Runs.named(name, in: runs.folder)
    var history = try RunHistory(of: folder)
    guard let known = history.job(job) else {
      throw Failure.usage(
        "run \(history.id) has no job \(job)"
          + Spelling.hint(job, among: history.jobs.map { $0.id }))
    }
    guard let number = attempt?.number ?? known.attempts.last?.number else {
      throw Failure.usage(
        "job \(job) never ran: \(JobWords.how(known.state, known.reason, known.detail))")
    }
    let stem = folder + "/jobs/" + RunName.fileName(job) + ".\(number)."
    if let item { return try printItem(item.number, stem) }
    var path = stem + (errors ? "err" : "out")
    var descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 && !errors {  // a function's, which has lines of its own
      path = stem + "log"
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
    }
    guard descriptor >= 0 else {
      throw Failure.usage("\(path): cannot open: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    let watch = follow ? inotify_init1(O_CLOEXEC) : -1
    if watch >= 0 {
      _ = inotify_add_watch(watch, path, UInt32(IN_MODIFY))
      _ = inotify_add_watch(watch, folder + "/run.jsonl", UInt32(IN_MODIFY))
    }
    while true {
      let isOver = history.job(job).map { $0.isTerminal } ?? true || history.condition != "running"
      try Self.copy(descriptor)
      guard watch >= 0, !isOver else { return }
      // A run that is killed writes nothing more: it is looked at once a second.
      if wpl_file_wait_input(watch, 1000) > 0 {
        var events = [UInt8](repeating: 0, count: 4096)
        _ = read(watch, &events, events.count)
      }
      history = try RunHistory(of: folder)
    }
  }

  private func printItem(_ item: Int, _ stem: String) throws {
    guard !follow, !errors else { throw Failure.usage("--item stands without -f and --errors") }
    for attempt in 1... {
      let path = stem + "items/\(item).\(attempt).log"
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else {
        if attempt > 1 { return }
        throw Failure.usage("\(path): cannot open: \(String(cString: strerror(errno)))")
      }
      defer { close(descriptor) }
      try Self.copy(descriptor)
    }
  }

  private static func copy(_ descriptor: Int32) throws {
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &piece, piece.count)
      guard count > 0 else { return }
      var done = 0
      while done < count {
        let written = piece.withUnsafeBytes { write(1, $0.baseAddress! + done, count - done) }
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { throw errno == EPIPE ? ExitCode.closedOutput : ExitCode.run }
        done += written
      }
    }
  }
}

struct TimelineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "timeline", abstract: "Print what ran when in a run.",
    usage: "wpool timeline [<run>] [--ascii | --svg | --trace]")

  enum Form: String, EnumerableFlag {
    case ascii, svg, trace

    static func help(for value: Form) -> ArgumentHelp? {
      switch value {
      case .ascii: "As text, $COLUMNS wide. So it is without the others."
      case .svg: "As a picture."
      case .trace: "For https://ui.perfetto.dev or chrome://tracing."
      }
    }
  }

  @Argument(
    help: ArgumentHelp("Id or folder of a run. [the last one]", valueName: "run"),
    completion: KnownNames.runs)
  var name: String?
  @Flag var form = Form.ascii
  @OptionGroup var runs: LogFolderOption

  func run() throws {
    let timeline = RunTimeline(try runs.history(name))
    switch form {
    case .ascii:
      let columns = Surroundings.variable("COLUMNS").flatMap { Int($0) } ?? 80
      throw Console.write(timeline.ascii(columns: max(40, min(columns, 1000))))
    case .svg: throw Console.write(timeline.svg)
    case .trace: throw Console.write(timeline.trace)
    }
  }
}

struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "List the runs on record, the oldest first.", usage: "wpool runs"
  )

  @OptionGroup var runs: LogFolderOption

  func run() throws {
    var table = TextTable(["run", "began", "state", "jobs", "file"])
    for id in Runs.all(in: runs.folder) {
      guard let history = try? RunHistory(of: runs.folder + "/" + id) else {
        table.add([id, "-", "damaged", "-", "-"])
        continue
      }
      table.add([
        id, history.header["start"]?.text ?? "-", history.condition, history.countsText,
        history.header["file"]?.text ?? "-",
      ])
    }
    throw Console.write(table.leftText)
  }
}

struct CleanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clean", abstract: "Remove the records of old runs.",
    usage: "wpool clean --keep-runs <n>",
    discussion: "A run that goes on, or is being resumed, stays.")

  @Option(help: ArgumentHelp("So many of the newest stay.", valueName: "n"))
  var keepRuns: WholeNumber

  @OptionGroup var runs: LogFolderOption

  func run() throws {
    var failures: [String] = []
    for id in Runs.all(in: runs.folder).dropLast(keepRuns.number) {
      let path = runs.folder + "/" + id
      guard let lock = try? FolderLock(of: path) else {
        Console.note("\(path) is in use and stays")
        continue
      }
      if let problem = Self.remove(path) { failures.append(problem) }
      withExtendedLifetime(lock) {}
    }
    if !failures.isEmpty { throw Failure(exitCode: .run, messages: failures) }
  }

  /// A run's folder with all that is in it: jobs may have put their own things there.
  private static func remove(_ path: String) -> String? {
    for name in entries(path) {
      let inner = path + "/" + name
      var info = stat()
      // A link is removed, not what it leads to.
      if lstat(inner, &info) == 0, info.st_mode & S_IFMT == S_IFDIR {
        if let problem = remove(inner) { return problem }
      } else if unlink(inner) != 0 && errno != ENOENT {
        return "\(inner): cannot remove: \(String(cString: strerror(errno)))"
      }
    }
    if rmdir(path) != 0 && errno != ENOENT {
      return "\(path): cannot remove: \(String(cString: strerror(errno)))"
    }
    return nil
  }

  private static func entries(_ folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }
}
