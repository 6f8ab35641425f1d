// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Glibc
import Workpool

/// Carries a plan out: feeds the scheduler with what happens and does what it says, on one thread that
/// sleeps in `poll`.
///
/// What the scheduler tells is written to the journal before anything that follows from it is done: the
/// end of a job is on record before a dependent starts.
final class JobSession {
  struct Running {
    let child: ChildProcess
    let attempt: Int32
    let slot: Int32
    let start: Int64
  }

  private(set) var plan: JobPlan
  let settings: RunSettings
  private let limits: JobLimits
  let resumed: ResumePlan?
  /// Places of jobs that were not asked for.
  private let filtered: Set<Int>
  private(set) var scheduler: Scheduler

  private var handles: [JobHandle] = []
  private var places: [JobHandle: Int] = [:]
  private var running: [Int: Running] = [:]
  private var lastEnds: [Int: ChildEnd] = [:]
  /// `k=v` lines of jobs that completed.
  private var outputs: [Int: [JSONValue.Member]] = [:]
  private var hashes: [String] = []
  /// Jobs whose definition was written by another job.
  private var definitions: [Int: JSONValue] = [:]

  let start = wpl_now()
  let wallStart = wpl_wall_time()
  private let eventText: JobEventText
  private var seq = 0
  private let folder: RunFolder
  private let absoluteFolder: String
  private let journal: JournalWriter
  private var summaryDue: Int64
  /// When to look again whether the machine has room for starts; nil: it has, or need not have.
  private var gateDue: Int64?
  private var state: IncrementalState?
  private var display: JobDisplay
  private let output: JobOutput
  private var counts = RunCounts()
  private let baseEnvironment: [(name: String, setting: String)]

  private var signals: Int32 = -1
  /// The first one.
  private var caught: Int32?
  /// The record cannot be written: nothing more is begun.
  private var failure: WorkpoolError?
  /// Processes that were told to be left behind.
  private var toldLeftovers: Set<Int32> = []
  private var ownMemory = OwnMemory()
  /// How many jobs could have run at once.
  private var mostWanted = 0

  init(
    _ plan: JobPlan, _ settings: RunSettings, filtered: Set<Int>, resumed: ResumePlan?
  ) throws(Failure) {
    self.plan = plan
    self.settings = settings
    self.filtered = filtered
    self.resumed = resumed
    scheduler = settings.scheduler(plan, now: start)
    scheduler.eventMask = JobEvent.all
    eventText = JobEventText(start: start, wallStart: wallStart)
    summaryDue = start + JobSession.summaryInterval
    display = JobDisplay(settings, start: start)
    output = JobOutput(settings)
    baseEnvironment = JobEnvironment.inherited()
    hashes = DefinitionHash.all(plan)
    limits = settings.limits(plan)
    // Refused jobs must leave no folder behind: the scheduler is asked first. Nothing begins, and no time
    // passes for any job, before all of them are on record.
    scheduler.pause(at: start)
    let specs = JobSession.specs(plan, settings, filtered: filtered, resumed: resumed)
    do throws(WorkpoolError) {
      handles = try scheduler.submit(specs, at: start)
    } catch {
      let hint = error.status == .unsatisfiable ? "; --oversize alone runs it by itself" : ""
      throw Failure(exitCode: .usage, messages: [error.message + hint])
    }
    handles = Array(handles[..<plan.jobs.count])
    for (place, handle) in handles.enumerated() { places[handle] = place }
    // From here on there is something to finish.
    signals = wpl_signals_watch()
    folder = try RunFolder(of: settings.runID ?? RunName.ulid(), in: settings.logFolder)
    absoluteFolder = Paths.absolute(folder.path, base: Paths.currentFolder)
    do throws(WorkpoolError) {
      journal = try JournalWriter(path: folder.journalPath, sync: settings.sync)
      try journal.append(header, mustLast: false, now: start)
    } catch {
      throw Failure(exitCode: .program, messages: [error.text])
    }
    if settings.usesCache && plan.jobs.contains(where: IncrementalState.concerns) {
      state = try IncrementalState(plan)
    }
    counts.total = plan.jobs.count
    counts.slots = limits.slots
  }

  private static let summaryInterval: Int64 = 5_000_000_000

  static func specs(
    _ plan: JobPlan, _ settings: RunSettings, filtered: Set<Int>, resumed: ResumePlan?
  ) -> [JobSpec] {
    let slots = settings.limits(plan).slots
    var specs = plan.jobs.indices.map { place in
      var spec = PlanSpecs.spec(place, plan, slots)
      spec.expectedNanoseconds = settings.expectedTime(spec.id)
      if let outcome = settings.merged?.outcomes[place] {
        if case .done = outcome { spec.skip = .resumed }
        spec.countsForStop = false
      } else if filtered.contains(place) {
        spec.skip = .filtered
      } else if resumed?.isDone(plan.jobs[place].id) ?? false {
        spec.skip = .resumed
      } else if resumed?.isLeftOut(plan.jobs[place].id) ?? false {
        spec.skip = .filtered
      } else {
        spec.checksUpToDate =
          settings.usesCache && !settings.isForced && IncrementalState.concerns(plan.jobs[place])
      }
      // What does not run asks for nothing.
      if spec.skip != JobReason.none || settings.merged?.outcomes[place] != nil {
        spec.cpus = 1
        spec.memory = 0
        spec.pools = []
        spec.hint = .lightCPU
      }
      return spec
    }
    specs += PlanSpecs.barriers(plan)
    return specs
  }

  private var header: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("type", .text("run")),
      .init("schema", .int(1)),
      .init("run", .text(folder.id)),
      .init("tool", .text("wpool " + VersionCommand.number)),
      .init("name", .text(plan.name)),
      .init("file", settings.file.map { .text($0) } ?? .null),
      .init("file_hash", .text(plan.fileHash)),
      .init("argv", .list(settings.arguments.map { .text($0) })),
      .init("cwd", .text(Paths.currentFolder)),
      .init("host", .text(Surroundings.host)),
      .init("boot_id", .text(Surroundings.bootID)),
      .init("pid", .int(Int(getpid()))),
      .init("start", .text(RunName.isoTime(wallStart))),
      .init("start_ns", .int(Int(wallStart))),
      .init("slots", .int(settings.limits(plan).slots)),
      .init("shard", settings.shard.map { .text($0.text) } ?? .null),
    ]
    if let resumed { members.append(.init("resumes", .text(resumed.history.id))) }
    if let run = Surroundings.variable("WPOOL_RUN_ID"),
      let job = Surroundings.variable("WPOOL_JOB_ID")
    {
      members.append(.init("outer", .object([.init("run", .text(run)), .init("job", .text(job))])))
    }
    return members
  }

  // MARK: The loop

  /// - Returns: what the program ends with; everything was told.
  func run() -> ExitCode {
    _ = wpl_process_adopts_orphans()
    perform()
    addAgain()
    if !settings.gate.isNeeded {
      scheduler.resume(at: wpl_now())
      perform()
    }
    while scheduler.nonTerminal > 0 || !running.isEmpty {
      lookAtMachine()
      wait()
    }
    scheduler.shutdown(limit: nil, at: wpl_now())
    perform()
    endOrphans()
    return finish()
  }

  private func lookAtMachine() {
    guard settings.gate.isNeeded else { return }
    let now = wpl_now()
    if settings.gate.isOpen {
      gateDue = nil
      scheduler.resume(at: now)
      perform()
    } else {
      gateDue = now + StartGate.interval
      scheduler.pause(at: now)
    }
  }

  private func wait() {
    let now = wpl_now()
    var polls: [pollfd] = []
    var watched: [Int] = []
    var due = min(scheduler.nextDue ?? .max, summaryDue)
    due = min(due, journal.syncDue ?? .max, display.due(now) ?? .max, gateDue ?? .max)
    if signals >= 0 { polls.append(pollfd(fd: signals, events: Int16(POLLIN), revents: 0)) }
    if output.descriptor >= 0 {
      polls.append(pollfd(fd: output.descriptor, events: Int16(POLLIN), revents: 0))
    }
    let first = polls.count
    for (place, job) in running {
      polls.append(pollfd(fd: job.child.descriptor, events: Int16(POLLIN), revents: 0))
      watched.append(place)
      if let childDue = job.child.due { due = min(due, childDue) }
    }
    let milliseconds = due == .max ? -1 : max(0, min(60_000, (due - now + 999_999) / 1_000_000))
    let count = poll(&polls, nfds_t(polls.count), Int32(milliseconds))
    let later = wpl_now()
    if count > 0 {
      for poll in polls[..<first] where poll.revents != 0 {
        if poll.fd == signals { takeSignals(later) } else { output.advance() }
      }
    }
    var ready: [Int] = []
    for (index, place) in watched.enumerated() {
      let isDue = running[place]?.child.due.map { $0 <= later } ?? false
      if isDue || count > 0 && polls[first + index].revents != 0 { ready.append(place) }
    }
    for place in ready.sorted() { advance(place) }
    if let due = scheduler.nextDue, due <= wpl_now() {
      scheduler.tick(at: wpl_now())
      perform()
    }
    keepRecord()
  }

  private func takeSignals(_ now: Int64) {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(signals, &bytes, bytes.count)
    guard count > 0 else { return }
    for byte in bytes[..<count] {
      if caught == nil {
        caught = Int32(byte)
        say("\(SignalName.text(Int32(byte))): running jobs are asked to end; once more kills them")
      }
      scheduler.interrupt(at: now)
      perform()
    }
  }

  private func advance(_ place: Int) {
    guard let job = running[place], var end = job.child.advance(now: wpl_now()) else { return }
    if !ownMemory.isLess(than: end.peakMemory) { end.peakMemory = 0 }
    running[place] = nil
    lastEnds[place] = end
    output.attemptEnded(place)
    if plan.jobs[place].ownsConsole { wpl_terminal_take() }
    tellLeftovers(place, end)
    let outcome = outcome(place, job, end)
    scheduler.finish(handles[place], outcome, at: wpl_now())
    perform()
  }

  private func outcome(_ place: Int, _ job: Running, _ end: ChildEnd) -> JobOutcome {
    var outcome: JobOutcome
    if end.isLost {
      outcome = JobOutcome(.error, 0, "somebody else reaped the process: how it ended is unknown")
    } else if let signal = end.signal {
      outcome = JobOutcome(.signal, signal)
    } else if let code = end.exitCode, code != 0 {
      outcome = JobOutcome(.exit, code)
    } else {
      outcome = .completed
    }
    // A signal to the whole foreground group reaches a child that has just been born in it, too.
    outcome.wasSignalled = end.wasStopped || caught != nil && end.signal == caught
    outcome.peakMemory = UInt64(max(0, end.peakMemory))
    outcome.cpuNanoseconds = end.userTime + end.systemTime
    if outcome.kind == .completed && !end.wasStopped {
      if let problem = completed(place, job) { outcome = JobOutcome(.error, 0, problem) }
    } else if outcome.text.isEmpty {
      outcome.text = SmallFile.tail(
        folder.file(plan.jobs[place].id, attempt: job.attempt, "err"), bytes: JobOutcome.textSize)
    }
    return outcome
  }

  /// What an attempt leaves besides its exit code.
  /// - Returns: why it is a failure nevertheless.
  private func completed(_ place: Int, _ job: Running) -> String? {
    let id = plan.jobs[place].id
    let missing = plan.jobs[place].outputs.filter { !Paths.isThere($0, base: plan.base) }
    if !missing.isEmpty {
      scheduler.report(
        .warning, handles[place],
        "it completed, and its outputs are not there: " + missing.joined(separator: ", "),
        at: wpl_now())
    }
    outputs[place] = JobEnvironment.values(
      in: folder.file(id, attempt: job.attempt, "output"))
    let path = folder.file(id, attempt: job.attempt, "submit")
    if access(path, F_OK) == 0, let problem = addJobs(place, path) { return problem }
    if let state, IncrementalState.concerns(plan.jobs[place]) {
      do throws(WorkpoolError) {
        try state.succeeded(place, plan, hash: hashes[place], values: outputs[place] ?? [])
      } catch {
        say("\(error.text): \(id) will run again next time")
      }
    }
    return nil
  }

  // MARK: What the scheduler says

  private func perform() {
    while true {
      let events = scheduler.takeEvents()
      let actions = scheduler.takeActions()
      if events.isEmpty && actions.isEmpty { break }
      for event in events { tell(event) }
      for action in actions { perform(action) }
    }
    mostWanted = max(mostWanted, scheduler.count(.running) + scheduler.count(.ready))
  }

  private func perform(_ action: Scheduler.Action) {
    switch action {
    case .start(let job, let attempt, let slot):
      if let place = places[job] { begin(place, attempt, slot) }
    case .stop(let job, _):
      if let place = places[job] { _ = running[place]?.child.stop(now: wpl_now()) }
    case .kill(let job):
      if let place = places[job] { _ = running[place]?.child.kill(now: wpl_now()) }
    case .checkUpToDate(let job):
      scheduler.check(job, isUpToDate: places[job].map(isUpToDate) ?? false, at: wpl_now())
    case .cleanUp(let job): scheduler.cleanedUp(job, at: wpl_now())
    case .ended, .forgotten: break
    }
  }

  private func isUpToDate(_ place: Int) -> Bool {
    guard let state else { return false }
    let verdict = state.verdict(place, plan, hash: hashes[place])
    if settings.explains { say("\(plan.jobs[place].id): \(verdict.reason)") }
    if verdict.isUpToDate { outputs[place] = verdict.values }
    return verdict.isUpToDate
  }

  private func begin(_ place: Int, _ attempt: Int32, _ slot: Int32) {
    let job = plan.jobs[place]
    if case .failed(let outcome)? = settings.merged?.outcomes[place] {
      scheduler.finish(handles[place], outcome, at: wpl_now())
      return
    }
    if let state, IncrementalState.concerns(job) {
      do throws(WorkpoolError) {
        try state.begins(place, plan)
      } catch {
        say(error.text)
      }
    }
    var command = ChildCommand(job.arguments)
    command.folder = job.folder
    command.input = job.input
    command.leftovers = job.settings.leftovers ?? .kill
    command.killGrace = job.settings.killGrace ?? command.killGrace
    if job.ownsConsole {
      display.hide()
      command.ownsTerminal = true
      command.output = .descriptor(1)
      command.errors = .descriptor(2)
    } else {
      command.output = .file(absolute(place, attempt, "out"))
      command.errors = .file(absolute(place, attempt, "err"))
    }
    command.environment = environment(place, attempt, slot)
    let child: ChildProcess
    do throws(WorkpoolError) {
      child = try ChildProcess(command)
    } catch {
      var outcome = JobOutcome(.spawn, error.systemError, error.text)
      outcome.mayRetry = error.systemError != 0
      scheduler.finish(handles[place], outcome, at: wpl_now())
      return
    }
    running[place] = Running(child: child, attempt: attempt, slot: slot, start: wpl_now())
    write(
      [
        .init("type", .text("spawn")), .init("job", .text(job.id)),
        .init("attempt", .int(Int(attempt))), .init("pid", .int(Int(child.id))),
        .init("pgid", .int(Int(child.id))), .init("start_ticks", .int(Int(child.startTicks))),
      ], mustLast: false)
    output.began(
      place, settings.tag(job), output: folder.file(job.id, attempt: attempt, "out"),
      errors: folder.file(job.id, attempt: attempt, "err"))
  }

  private func absolute(_ place: Int, _ attempt: Int32, _ suffix: String) -> String {
    let path = folder.file(plan.jobs[place].id, attempt: attempt, suffix)
    return path.hasPrefix("/") ? path : absoluteFolder + path.dropFirst(folder.path.count)
  }

  private func environment(_ place: Int, _ attempt: Int32, _ slot: Int32) -> [String] {
    let job = plan.jobs[place]
    var settings: [(String, String)] = job.environment.map { ($0.name, $0.value) }
    settings += [
      ("WPOOL_RUN_ID", folder.id), ("WPOOL_JOB_ID", job.id), ("WPOOL_ATTEMPT", String(attempt)),
      ("WPOOL_SLOT", String(slot)), ("WPOOL_CPUS", String(cpus(of: job))),
      ("WPOOL_LOG_DIR", absoluteFolder),
      ("WPOOL_OUTPUT", absolute(place, attempt, "output")),
      ("WPOOL_SUBMIT", absolute(place, attempt, "submit")),
    ]
    let deps = job.dependencies.map { (plan.jobs[$0].id, outputs[$0] ?? []) }
    for (id, values) in deps {
      for value in values {
        settings.append((JobEnvironment.name(id, value.key), value.value.text ?? ""))
      }
    }
    settings.append(("WPOOL_DEPS", dependencies(place, attempt, deps)))
    return JobEnvironment.merged(baseEnvironment, settings)
  }

  /// What it was given: one that asks for more than there is has all there is.
  private func cpus(of job: PlannedJob) -> Int {
    let isIO = (job.settings.hint ?? .lightCPU).isIO && limits.ioSlots > 0
    return min(job.settings.cpus ?? 1, isIO ? limits.ioSlots : limits.slots)
  }

  /// Writes what dependencies have given; a job without any shares an empty file with its like.
  private func dependencies(
    _ place: Int, _ attempt: Int32, _ deps: [(String, [JSONValue.Member])]
  ) -> String {
    let path =
      deps.isEmpty ? absoluteFolder + "/no_deps.json" : absolute(place, attempt, "deps.json")
    if deps.isEmpty && access(path, F_OK) == 0 { return path }
    let text = JSONValue.object(deps.map { .init($0.0, .object($0.1)) }).line + "\n"
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_REPLACE))
    if descriptor >= 0 {
      _ = Console.put(text, to: descriptor)
      close(descriptor)
    }
    return path
  }

  // MARK: Jobs that come while others run

  /// - Returns: why nothing was added.
  private func addJobs(_ adder: Int, _ path: String) -> String? {
    do {
      let added = try SubmittedJobs.read(path)
      if added.isEmpty { return nil }
      try submit(added, by: adder, name: path)
      return nil
    } catch let failure as Failure {
      return failure.messages.joined(separator: "\n")
    } catch {
      return "\(error)"
    }
  }

  private func submit(_ added: SubmittedJobs, by adder: Int, name: String) throws {
    var after = plan
    let first = try after.add(added.text(name: name), by: adder)
    let slots = settings.limits(plan).slots
    var specs: [JobSpec] = []
    for place in first..<after.jobs.count {
      var spec = PlanSpecs.spec(place, after, slots)
      spec.checksUpToDate =
        settings.usesCache && !settings.isForced && IncrementalState.concerns(after.jobs[place])
      if resumed?.isDone(place, after) ?? false { spec.skip = .resumed }
      specs.append(spec)
    }
    let barrier = after.jobs[first...].first?.stage.flatMap { stage in
      after.stages[(stage + 1)...].first { !$0.jobs.isEmpty }.map(PlanSpecs.barrierID)
    }
    let newHandles: [JobHandle]
    do throws(WorkpoolError) {
      newHandles = try scheduler.submit(specs, at: wpl_now())
    } catch {
      throw Failure.usage(error.message)
    }
    plan = after
    handles += newHandles
    for (offset, handle) in newHandles.enumerated() { places[handle] = first + offset }
    for place in first..<plan.jobs.count {
      definitions[place] = added.objects.first { $0["id"]?.text == plan.jobs[place].id }
      hashes.append(DefinitionHash.of(place, plan))
    }
    counts.total = plan.jobs.count
    let ids = specs.map { $0.id }
    for waiter in plan.jobs.indices where plan.jobs[waiter].awaitsAddedBy.contains(adder) {
      let new = (first..<plan.jobs.count).filter { $0 != waiter }
      plan.addDependencies(of: waiter, new)
      if let error = wait(handles[waiter], for: new.map { plan.jobs[$0].id }) { throw error }
    }
    if let barrier = barrier.flatMap({ scheduler.find($0) }), let error = wait(barrier, for: ids) {
      throw error
    }
  }

  private func wait(_ job: JobHandle, for ids: [String]) -> Failure? {
    do throws(WorkpoolError) {
      try scheduler.addDependencies(of: job, ids, at: wpl_now())
      return nil
    } catch {
      // It is further on already: it was cancelled, or did not wait for the one that added.
      return error.status == .cycle ? .usage(error.message) : nil
    }
  }

  /// What jobs had added before the run that is resumed ended.
  private func addAgain() {
    guard let resumed else { return }
    for (adder, objects) in resumed.added {
      guard let place = plan.places[adder], resumed.isDone(adder) else { continue }
      do {
        try submit(SubmittedJobs(objects: objects), by: place, name: "the journal")
      } catch {
        say("\(adder): what it had added is not added again: \(error)")
      }
      perform()
    }
  }

  // MARK: Telling

  private func tell(_ event: JobEvent) {
    if let id = event.job.map({ _ in event.id }), PlanSpecs.isBarrier(id) { return }
    seq += 1
    var members = eventText.members(event, seq: seq)
    let place = event.job.flatMap { places[$0] }
    if let place { addDetails(event, place, &members) }
    if event.kind == .runFinished { members += JobSums(scheduler, handles).members }
    display.event(members)
    let isTerminal = event.kind == .jobFinished || event.kind == .jobSkipped
    write(members, mustLast: isTerminal || event.kind == .runFinished)
    if let place { count(event, place) }
    if event.kind == .warning {
      say("warning: " + (event.id.isEmpty ? "" : event.id + ": ") + event.text)
    }
  }

  private func addDetails(
    _ event: JobEvent, _ place: Int, _ members: inout [JSONValue.Member]
  ) {
    let job = plan.jobs[place]
    switch event.kind {
    case .jobSubmitted:
      members.append(.init("hash", .text(hashes[place])))
      members.append(
        .init("after", .list(job.dependencies.map { .text(plan.jobs[$0].id) })))
      if let memory = job.settings.memory { members.append(.init("memory", .int(Int(memory)))) }
      if job.settings.allowFailure ?? false { members.append(.init("allow_failure", .bool(true))) }
      if let priority = job.settings.priority {
        members.append(.init("priority", .int(Int(priority))))
      }
      if let adder = job.adder {
        members.append(.init("added_by", .text(plan.jobs[adder].id)))
        if let definition = definitions[place] {
          members.append(.init("definition", definition))
        }
      }
    case .jobFinished, .jobRetrying, .jobSkipped:
      if let end = lastEnds.removeValue(forKey: place) { members += JobEventText.members(end) }
      if event.kind == .jobSkipped, event.reason == .resumed {
        outputs[place] = resumed?.history.job(job.id)?.outputs
        if case .done(let values)? = settings.merged?.outcomes[place] { outputs[place] = values }
      }
      if event.kind != .jobRetrying, let values = outputs[place], !values.isEmpty {
        members.append(.init("outputs", .object(values)))
      }
    default: break
    }
  }

  private func count(_ event: JobEvent, _ place: Int) {
    let job = plan.jobs[place]
    switch event.kind {
    case .jobStarted:
      counts.running += 1
      if event.attempt == 1 { counts.started += 1 }
      let command = settings.file == nil ? ": " + job.shortCommand : ""
      let attempt = event.attempt > 1 ? " (attempt \(event.attempt))" : ""
      tellLine("start \(job.id)\(command)\(attempt)", event)
    case .jobRetrying:
      counts.running -= 1
      let how = JobWords.how("\(event.state.name)", "\(event.reason.name)", Int(event.detail))
      let wait = event.retryTime - event.time
      tellLine("again \(job.id): \(how)" + (wait > 0 ? ", in \(Duration.text(wait))" : ""), event)
    case .jobFinished, .jobSkipped:
      let attempts = scheduler.attempts(handles[place])
      if event.attempt > 0 && attempts.last?.end ?? 0 >= event.time { counts.running -= 1 }
      counts.ended += 1
      if event.state == .failed || event.state == .timeout { counts.failed += 1 }
      if let last = attempts.last {
        counts.completed += 1
        counts.execution += last.end - last.start
      }
      let how = JobWords.how("\(event.state.name)", "\(event.reason.name)", Int(event.detail))
      let time = attempts.last.map { " " + Duration.text($0.end - $0.start) } ?? ""
      if display.form == .bar { display.hide() }
      output.jobEnded(
        place, settings.tag(job),
        files: event.attempt > 0 && !job.ownsConsole
          ? (
            folder.file(job.id, attempt: event.attempt, "out"),
            folder.file(job.id, attempt: event.attempt, "err")
          ) : nil)
      tellLine("\(job.id): \(how)\(time)", isEnd: true, event)
    default: break
    }
    display.show(counts, event.time)
  }

  private func tellLine(_ text: String, isEnd: Bool = false, _ event: JobEvent) {
    display.line(text, isEnd: isEnd, counts, event.time)
  }

  private func tellLeftovers(_ place: Int, _ end: ChildEnd) {
    guard !end.leftovers.isEmpty, !end.wasStopped else { return }
    toldLeftovers.formUnion(end.remaining)
    let numbers = end.leftovers.map(String.init).joined(separator: ", ")
    let what: String
    switch plan.jobs[place].settings.leftovers ?? .kill {
    case .leave: return
    case .warn: what = "left processes behind, which go on: \(numbers)"
    case .kill:
      what =
        "left processes behind, which were killed: \(numbers)"
        + (end.remaining.isEmpty
          ? "" : "; still there: " + end.remaining.map(String.init).joined(separator: ", "))
    }
    scheduler.report(.warning, handles[place], what, at: wpl_now())
  }

  func say(_ message: String) {
    display.hide()
    if !display.ownsErrors { Console.say(message) }
  }

  // MARK: The record

  private func write(_ members: [JSONValue.Member], mustLast: Bool) {
    guard failure == nil else { return }
    do throws(WorkpoolError) {
      try journal.append(members, mustLast: mustLast, now: wpl_now())
    } catch {
      giveUp(error)
    }
  }

  /// Without a record nothing more may run.
  private func giveUp(_ error: WorkpoolError) {
    failure = error
    scheduler.interrupt(at: wpl_now())
    scheduler.interrupt(at: wpl_now())
  }

  private func keepRecord() {
    let now = wpl_now()
    if let due = journal.syncDue, due <= now, failure == nil {
      do throws(WorkpoolError) {
        try journal.syncNow(now)
      } catch {
        giveUp(error)
        perform()
      }
    }
    if summaryDue <= now {
      writeSummary(isEnd: false)
      // Of very many jobs it takes a while: at most a twentieth of the time.
      let later = wpl_now()
      summaryDue = later + max(Self.summaryInterval, 20 * (later - now))
    }
    display.show(counts, now)
    wpl_process_reap_adopted_but(running.values.map { $0.child.id })
  }

  private func writeSummary(isEnd: Bool) {
    guard failure == nil else { return }
    let summary = JobSummary(
      id: folder.id, scheduler, handles, start: start, now: wpl_now(), isEnd: isEnd
    ) { [folder] view, attempt in
      ["out", "err"].map {
        .init($0, .text(folder.name(view.spec.id, attempt: attempt.number, $0)))
      }
    }
    do throws(WorkpoolError) {
      try RunFolder.replace(folder.summaryPath, with: summary.bytes)
    } catch {
      giveUp(error)
    }
  }

  // MARK: The end

  /// Processes that left their group, and came to this one when their parents ended.
  private func endOrphans() {
    var rounds = 0
    while rounds < 100 {
      var room = [Int32](repeating: 0, count: 256)
      let count = wpl_process_children(&room, 256)
      guard count > 0 else { break }
      var mayWait = false
      for process in room[..<Int(min(count, 256))] {
        var name = [CChar](repeating: 0, count: 512)
        _ = wpl_process_variable(process, "WPOOL_JOB_ID", &name, 512)
        let id = Surroundings.text(name)
        let rule = plan.places[id].flatMap { plan.jobs[$0].settings.leftovers } ?? .kill
        if rounds == 0 && rule != .leave && !toldLeftovers.contains(process) {
          scheduler.report(
            .warning, scheduler.find(id),
            "process \(process) left its group and outlived its job"
              + (rule == .kill ? "; it was killed" : ""), at: wpl_now())
        }
        guard rule == .kill else { continue }
        _ = wpl_process_signal(process, rounds < 20 ? wpl_sigterm : wpl_sigkill)
        if rounds < 20 { _ = wpl_process_signal(process, wpl_sigcont) }
        mayWait = true
      }
      wpl_process_reap_adopted(nil, 0)
      guard mayWait else { break }
      wpl_sleep(10_000_000)
      rounds += 1
    }
    wpl_process_reap_adopted(nil, 0)
    perform()
  }

  private func finish() -> ExitCode {
    display.hide()
    do throws(WorkpoolError) {
      if failure == nil { try journal.syncNow(wpl_now()) }
    } catch {
      failure = error
    }
    writeSummary(isEnd: true)
    let timelineFailed = writeTimelines()
    let sums = JobSums(scheduler, handles)
    if !display.ownsErrors {
      let words = RunWords(
        plan: plan, scheduler: scheduler, handles: handles, folder: folder,
        hasFile: settings.file != nil, seconds: Double(wpl_now() - start) / 1e9)
      words.tell(sums)
      if settings.workersAreDefault && mostWanted > 1 && settings.workers == 1 && !settings.isQuiet
      {
        Console.note(
          "one job ran at a time; \(mostWanted) could have run at once: "
            + "-j \(max(2, min(mostWanted, Pool.usableCPUs)))")
      }
      if let failure { Console.say("the record cannot be kept: " + failure.text) }
      if output.failure != 0 && output.failure != EPIPE {
        Console.say(
          "standard output: cannot write: \(String(cString: strerror(output.failure))); "
            + "what jobs wrote is in \(folder.path)/jobs")
      }
      words.tellSums(sums)
    }
    if failure != nil || timelineFailed { return .program }
    if let caught { return .signal(caught) }
    if output.failure == EPIPE { return .closedOutput }
    if output.failure != 0 { return .program }
    return sums.isGood ? .success : .run
  }

  /// What ran when, in the run's folder and where it was asked for.
  ///
  /// - Returns: whether what was asked for could not be written; that was told.
  private func writeTimelines() -> Bool {
    guard failure == nil else { return false }
    var chart = scheduler.chart(from: start, until: wpl_now())
    chart.jobs.removeAll { PlanSpecs.isBarrier($0.id) }
    let (trace, picture) = (chart.traceText, chart.svgText)
    for (name, text) in [("trace.json", trace), ("timeline.svg", picture)] {
      do throws(WorkpoolError) {
        // They can be made again from the journal: no need to wait for the device.
        try WholeFile.write(folder.path + "/" + name, Array(text.utf8))
      } catch {
        say("warning: " + error.text)
      }
    }
    guard let path = settings.timeline else { return false }
    do throws(WorkpoolError) {
      try RunFolder.replace(path, with: Array((path.hasSuffix(".svg") ? picture : trace).utf8))
      return false
    } catch {
      say(error.text)
      return true
    }
  }
}

private func wpl_process_reap_adopted_but(_ leaders: [Int32]) {
  leaders.withUnsafeBufferPointer {
    wpl_process_reap_adopted($0.baseAddress, Int32($0.count))
  }
}
