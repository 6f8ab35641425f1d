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

  var plan: JobPlan
  let settings: RunSettings
  let limits: JobLimits
  let resumed: ResumePlan?
  /// Places of jobs that were not asked for.
  let filtered: Set<Int>
  var scheduler: Scheduler

  var handles: [JobHandle] = []
  var places: [JobHandle: Int] = [:]
  var running: [Int: Running] = [:]
  var lastEnds: [Int: ChildEnd] = [:]
  /// `k=v` lines of jobs that completed.
  var outputs: [Int: [JSONValue.Member]] = [:]
  var hashes: [String] = []
  /// Jobs whose definition was written by another job.
  var definitions: [Int: JSONValue] = [:]

  let start = wpl_now()
  let wallStart = wpl_wall_time()
  let eventText: JobEventText
  var seq = 0
  let folder: RunFolder
  let absoluteFolder: String
  let journal: JournalWriter
  var summaryDue: Int64
  /// When to look again whether the machine has room for starts; nil: it has, or need not have.
  var gateDue: Int64?
  var state: IncrementalState?
  var display: JobDisplay
  let output: JobOutput
  var counts = RunCounts()
  let baseEnvironment: [(name: String, setting: String)]

  var signals: Int32 = -1
  /// The first one.
  var caught: Int32?
  /// The record cannot be written: nothing more is begun.
  var failure: WorkpoolError?
  /// Processes that were told to be left behind.
  var toldLeftovers: Set<Int32> = []
  var ownMemory = OwnMemory()
  /// How many jobs could have run at once.
  var mostWanted = 0

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

  static let summaryInterval: Int64 = 5_000_000_000

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

  private func lookForSignals() {
    var look = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
    if signals >= 0 && poll(&look, 1, 0) > 0 { takeSignals(wpl_now()) }
  }

  private func takeSignals(_ now: Int64) {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(signals, &bytes, bytes.count)
    guard count > 0 else { return }
    for number in bytes[..<count].map(Int32.init) {
      switch number {
      case wpl_sigtstp: suspend()
      case wpl_sigchld: suspendWithConsole()
      case wpl_sigquit: quit(now)
      default: interrupt(number, now)
      }
    }
  }

  private func interrupt(_ number: Int32, _ now: Int64) {
    if caught == nil {
      caught = number
      say("\(SignalName.text(number)): running jobs are asked to end; once more kills them")
    }
    scheduler.interrupt(at: now)
    perform()
  }

  /// As two interrupts do.
  private func quit(_ now: Int64) {
    if caught == nil { say("SIGQUIT: running jobs are killed") }
    caught = caught ?? wpl_sigquit
    for _ in 0..<2 { scheduler.interrupt(at: now) }
    perform()
  }

  private func advance(_ place: Int) {
    guard let job = running[place], var end = job.child.advance(now: wpl_now()) else { return }
    if !ownMemory.isLess(than: end.peakMemory) { end.peakMemory = 0 }
    // The same signal may have come to this process, and be read only now.
    if end.signal != nil { lookForSignals() }
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

  func perform() {
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
      wpl_signals_watch_children()
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
}
