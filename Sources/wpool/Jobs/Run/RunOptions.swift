// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Glibc
import Workpool

/// A number of job workers: `auto` and 0 stand for the CPUs this run may use.
struct JobWorkerCount: ExpressibleByArgument {
  let number: Int

  init?(argument: String) {
    if argument == "auto" || argument == "0" {
      number = Self.usable
    } else if let given = Int(argument), (1...65_536).contains(given) {
      number = given
    } else {
      return nil
    }
  }

  /// What an outer run gave this job, or Slurm this task, or the machine has.
  static var usable: Int {
    for name in ["WPOOL_CPUS", "SLURM_CPUS_PER_TASK"] {
      if let text = Surroundings.variable(name), let number = Int(text), number > 0 {
        return number
      }
    }
    return Pool.usableCPUs
  }
}

/// `auto` is twice as many as workers.
struct IOWorkerCount: ExpressibleByArgument {
  /// nil: auto.
  let number: Int?

  init?(argument: String) {
    if argument == "auto" {
      number = nil
    } else if let given = Int(argument), (0...65_536).contains(given) {
      number = given
    } else {
      return nil
    }
  }
}

struct WholeNumber: ExpressibleByArgument {
  let number: Int

  init?(argument: String) {
    guard let number = Int(argument), (0...1_000_000).contains(number) else { return nil }
    self.number = number
  }
}

struct OnOff: ExpressibleByArgument {
  let isOn: Bool

  init?(argument: String) {
    guard argument == "0" || argument == "1" else { return nil }
    isOn = argument == "1"
  }
}

enum StopChoice: String, ExpressibleByArgument, CaseIterable { case soft, now }
enum OversizeChoice: String, ExpressibleByArgument, CaseIterable { case refuse, alone }
enum SyncChoice: String, ExpressibleByArgument, CaseIterable {
  case always, group, none

  var sync: JournalWriter.Sync {
    switch self {
    case .always: .always
    case .group: .group
    case .none: .none
    }
  }
}
/// Which of the jobs that could begin does, where priorities are equal.
enum OrderChoice: String, ExpressibleByArgument, CaseIterable { case file, depth, critical }
enum OutputChoice: String, ExpressibleByArgument, CaseIterable { case group, line, none }
extension Orphans.Choice: ExpressibleByArgument {}

/// How many jobs run at once, and what they may take.
struct JobLimitOptions: ParsableArguments {
  @Option(
    name: [.customShort("j", allowingJoined: true), .customLong("max-workers")],
    help: ArgumentHelp(
      "Jobs at once; auto or 0: usable CPUs. [$WPOOL_MAX_WORKERS, or 1]", valueName: "n|auto"))
  var maxWorkers: JobWorkerCount?

  @Option(
    help: ArgumentHelp(
      """
      Slots of their own for jobs with an I/O hint; auto: twice the workers. [$WPOOL_IO_WORKERS, or \
      0: they share the workers]
      """, valueName: "n|auto"))
  var ioWorkers: IOWorkerCount?

  @Option(
    help: ArgumentHelp(
      "Memory that running jobs may declare together. [$WPOOL_MEMORY, or as the file says]",
      valueName: "size"))
  var memory: Size?

  @Option(
    name: .customLong("memfree"),
    help: ArgumentHelp(
      "Start nothing while less memory than this is available. [off]", valueName: "size"))
  var freeMemory: Size?

  @Option(
    help: ArgumentHelp(
      "Start nothing while the load of the last minute is this or more. [off]", valueName: "n"))
  var load: Double?

  @Option(
    help: ArgumentHelp(
      "A job that asks for more than there is: refuse, or run it alone. [refuse]",
      valueName: "outcome"))
  var oversize: OversizeChoice?

  @Option(
    help: ArgumentHelp(
      """
      Of jobs with equal priority begins: file, the first one; depth, the one with most behind it; \
      critical, the one on the longest path, with times of the last run. [file]
      """, valueName: "order"))
  var order: OrderChoice?

  @Option(
    help: ArgumentHelp(
      "Time in which a waiting job gains one point of priority. [off]", valueName: "duration"))
  var aging: Duration?
}

/// What happens when jobs fail or take too long.
struct JobFailureOptions: ParsableArguments {
  @Flag(
    name: [.customShort("k"), .customLong("keep-going")],
    help: "Go on after failures with all that does not depend on them. [$WPOOL_KEEP_GOING=1]")
  var keepGoing = false

  @Option(
    help: ArgumentHelp("Stop at the n-th failure. [1; with -k: never]", valueName: "n"))
  var maxFailures: Count?

  @Option(
    help: ArgumentHelp(
      "When it stops: soft lets running jobs end, now ends them too. [soft]", valueName: "manner"))
  var failFast: StopChoice?

  @Option(
    help: ArgumentHelp(
      "Further attempts after a failure, for jobs that do not say. [$WPOOL_RETRIES, or 0]",
      valueName: "n"))
  var retries: WholeNumber?

  @Option(
    help: ArgumentHelp(
      "Time before another attempt, for jobs that do not say. [$WPOOL_RETRY_DELAY, or 0]",
      valueName: "duration"))
  var retryDelay: Duration?

  @Option(
    help: ArgumentHelp(
      "Longest time of an attempt, for jobs that do not say. [$WPOOL_TIMEOUT, or none]",
      valueName: "duration"))
  var timeout: Duration?

  @Option(
    help: ArgumentHelp(
      "Time between SIGTERM and SIGKILL, for jobs that do not say. [$WPOOL_KILL_GRACE, or 5s]",
      valueName: "duration"))
  var killGrace: Duration?

  @Option(
    help: ArgumentHelp(
      "Longest time of the whole run. [$WPOOL_DEADLINE, or as the file says]",
      valueName: "duration"))
  var deadline: Duration?

  func overrides() throws(Failure) -> JobSettings {
    var settings = JobSettings()
    settings.retries = try Environment.value(retries, or: "WPOOL_RETRIES")?.number
    settings.retryDelay = try Environment.value(retryDelay, or: "WPOOL_RETRY_DELAY")?.nanoseconds
    settings.timeout = try Environment.value(timeout, or: "WPOOL_TIMEOUT")?.nanoseconds
    settings.killGrace = try Environment.value(killGrace, or: "WPOOL_KILL_GRACE")?.nanoseconds
    if settings.timeout == 0 { throw .usage("a timeout of 0 leaves no time") }
    return settings
  }
}

/// Where the record goes.
struct JobRecordOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder of the runs. [$WPOOL_LOG_DIR, or .wpool/runs]", valueName: "folder"),
    completion: .directory)
  var logDir: String?

  @Option(help: ArgumentHelp("Name of this run. [a new ULID]", valueName: "id"))
  var runID: String?

  @Option(
    help: ArgumentHelp(
      "Ends of jobs are put on the device: always at once, group within 50 ms, none. [group]",
      valueName: "manner"))
  var sync: SyncChoice?

  @Option(
    help: ArgumentHelp(
      "Write what ran when: .json for https://ui.perfetto.dev, .svg as a picture.",
      valueName: "file"), completion: .file())
  var timeline: String?

  static func logFolder(_ given: String?) -> String {
    var path = given ?? environmentFolder ?? ".wpool/runs"
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }

  /// In a job it is the folder of the run around it: a run of its own goes beside that.
  private static var environmentFolder: String? {
    guard let path = Surroundings.variable("WPOOL_LOG_DIR") else { return nil }
    guard let outer = Surroundings.variable("WPOOL_RUN_ID"), path.hasSuffix("/" + outer),
      Surroundings.variable("WPOOL_JOB_ID") != nil
    else { return path }
    return String(path.dropLast(outer.count + 1))
  }

  func check() throws(Failure) {
    if let runID, JobID.problem(runID) != nil || runID.contains("/") || runID.hasPrefix(".") {
      throw .usage("--run-id \(runID): letters, digits, -, _ and points, no point first")
    }
    if let timeline, !timeline.hasSuffix(".json"), !timeline.hasSuffix(".svg") {
      throw .usage("--timeline \(timeline): the name ends in .json or .svg")
    }
    // Told now, not when all is done.
    if let timeline, access(Paths.folder(of: timeline), W_OK) != 0 {
      throw .usage(
        "--timeline \(timeline): cannot write there: \(String(cString: strerror(errno)))")
    }
  }
}

/// What is shown while jobs run.
struct JobWordOptions: ParsableArguments {
  @Option(
    name: .customLong("progress"),
    help: ArgumentHelp(
      """
      auto, bar, plain, json or none. [$WPOOL_PROGRESS, or auto: a bar on a terminal, else a line \
      for each start and end]
      """, valueName: "form"))
  var progress: ProgressChoice?

  @Option(
    name: .customLong("progress-fd"),
    help: ArgumentHelp("Descriptor that progress is written to. [2]", valueName: "n"))
  var descriptor: Int32?

  @Flag(name: .shortAndLong, help: "No lines of progress and no notes; a bar only if asked for.")
  var quiet = false

  @Option(
    name: .customLong("output"),
    help: ArgumentHelp(
      "What jobs write: group, of each at its end; line by line; none. [group]", valueName: "form"))
  var output: OutputChoice?

  @Option(
    help: ArgumentHelp(
      """
      What the bar shows and lines begin with, as $NINJA_STATUS: %f finished, %t total, %p percent, %r \
      running, %s started, %u not started, %F failed, %o per second, %e seconds, %E seconds left, %w \
      and %W as minutes, %%. [$WPOOL_STATUS]
      """, valueName: "format"))
  var status: StatusFormat?

  @Flag(help: "Put the id of its job, with wpool each its words, before each line.")
  var tag = false

  @Flag(help: "Show what jobs write in the order of the jobs.")
  var keepOrder = false

  func check() throws(Failure) {
    if let descriptor, fcntl(descriptor, F_GETFD) < 0 {
      throw .usage("--progress-fd \(descriptor) is not open")
    }
    if keepOrder, let output, output != .group {
      throw .usage("--keep-order needs --output group")
    }
  }
}

extension RunSettings {
  init(
    limits: JobLimitOptions, failures: JobFailureOptions, record: JobRecordOptions,
    words: JobWordOptions
  ) throws(Failure) {
    try record.check()
    try words.check()
    let given = try Environment.value(limits.maxWorkers, or: "WPOOL_MAX_WORKERS")
    workersAreDefault = given == nil
    workers = given?.number ?? 1
    if let io = try Environment.value(limits.ioWorkers, or: "WPOOL_IO_WORKERS") {
      ioWorkers = io.number ?? 2 * workers
    }
    memory = UInt64(try Environment.value(limits.memory, or: "WPOOL_MEMORY")?.bytes ?? 0)
    runsOversizedAlone = limits.oversize == .alone
    gate = StartGate(memory: UInt64(limits.freeMemory?.bytes ?? 0), load: limits.load)
    if let load = limits.load, !(load > 0) { throw .usage("--load \(load): more than 0 is needed") }
    stopsNow = failures.failFast == .now
    order = limits.order ?? .file
    aging = limits.aging?.nanoseconds ?? 0
    if limits.aging != nil && aging == 0 { throw .usage("--aging 0: more than 0 is needed") }
    deadline = try Environment.value(failures.deadline, or: "WPOOL_DEADLINE")?.nanoseconds
    if deadline == 0 { throw .usage("a deadline of 0 leaves no time") }
    keepsGoing = failures.keepGoing
    if !keepsGoing {
      keepsGoing =
        try Environment.value(nil as OnOff?, or: "WPOOL_KEEP_GOING")?.isOn ?? false
    }
    givenMaxFailures = failures.maxFailures?.number
    logFolder = JobRecordOptions.logFolder(record.logDir)
    runID = record.runID
    sync = (record.sync ?? .group).sync
    timeline = record.timeline
    progress = try Environment.value(words.progress, or: "WPOOL_PROGRESS") ?? .auto
    progressDescriptor = words.descriptor ?? 2
    status = try Environment.value(words.status, or: "WPOOL_STATUS")
    isQuiet = words.quiet
    output =
      switch words.output ?? .group {
      case .group: .group
      case .line: .line
      case .none: .none
      }
    tags = words.tag
    keepsOrder = words.keepOrder
    arguments = CommandLine.arguments
  }

  /// When the file is known.
  mutating func settle(_ plan: JobPlan) {
    maxFailures = givenMaxFailures ?? (keepsGoing || !plan.stopOnFailure ? 0 : 1)
  }
}
