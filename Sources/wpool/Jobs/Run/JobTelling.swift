// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// What is told of events: in the journal, on the display, by output.
extension JobSession {
  func tell(_ event: JobEvent) {
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

  func addDetails(
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

  func count(_ event: JobEvent, _ place: Int) {
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

  func tellLine(_ text: String, isEnd: Bool = false, _ event: JobEvent) {
    display.line(text, isEnd: isEnd, counts, event.time)
  }

  func tellLeftovers(_ place: Int, _ end: ChildEnd) {
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
}
