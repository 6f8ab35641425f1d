// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// The record of a run: without it nothing more may run.
extension JobSession {
  var header: [JSONValue.Member] {
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

  func write(_ members: [JSONValue.Member], mustLast: Bool) {
    guard failure == nil else { return }
    do throws(WorkpoolError) {
      try journal.append(members, mustLast: mustLast, now: wpl_now())
    } catch {
      giveUp(error)
    }
  }

  /// Without a record nothing more may run.
  func giveUp(_ error: WorkpoolError) {
    failure = error
    scheduler.interrupt(at: wpl_now())
    scheduler.interrupt(at: wpl_now())
  }

  func keepRecord() {
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

  func writeSummary(isEnd: Bool) {
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

  /// What ran when, in the run's folder and where it was asked for.
  ///
  /// - Returns: whether what was asked for could not be written; that was told.
  func writeTimelines() -> Bool {
    guard failure == nil else { return false }
    var chart = scheduler.chart(from: start, until: wpl_now())
    chart.jobs.removeAll { PlanSpecs.isBarrier($0.id) }
    let (trace, picture) = (chart.traceText, chart.svgText)
    for (name, text) in [("trace.json", trace), ("timeline.svg", picture)] {
      do throws(WorkpoolError) {
        // They can be made again from the journal: no need to wait for the device.
        try SmallFile.write(Array(text.utf8), as: folder.path + "/" + name)
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
