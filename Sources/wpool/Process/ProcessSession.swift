// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

/// One run from the opening of its files to the program's exit code.
struct ProcessSession {
  private let job: ProcessJob
  private let start = RunClock()

  /// Looks at the run after a signal, before the process goes without it: nine tenths of a second,
  /// in which children that are told to end are ended.
  private static let patience = 9

  init(_ job: ProcessJob) { self.job = job }

  func run() throws -> ExitCode {
    let files = try SideFiles(job)
    do throws(WorkpoolError) {
      return end(try performed(files.timeline), files.report)
    } catch {
      if let signal = Interrupts.caught { return interrupted(signal) }
      throw Failure(beforeStart: error)
    }
  }

  private func performed(_ timeline: SideFile?) throws(WorkpoolError) -> RunThread.Ended {
    let token = try Token()
    Interrupts.cancel(token)
    var plan = job.plan
    plan.pipeline.token = token
    let run = try RunThread(plan, workers: job.workers, timeline: timeline)
    var progress = ProgressDisplay(job)
    try run.start()
    var patience = Self.patience
    while true {
      switch run.wait(timeout: ProgressDisplay.interval) {
      case .ended(let ended):
        progress.end(run.progress, isComplete: !ended.report.status.isError)
        return ended
      case .notBegun(let error): throw error
      case nil: progress.show(run.progress)
      }
      if let signal = Interrupts.caught {
        token.cancel()
        patience -= 1
        if patience == 0 {
          progress.end(run.progress, isComplete: false)
          leave(run, signal)
        }
      }
    }
  }

  /// The run hangs in the operating system: the process goes without it.
  private func leave(_ run: RunThread, _ signal: Int32) -> Never {
    if !job.plan.outputSet.keepsPartial { run.removeTemporaryFiles() }
    _exit(interrupted(signal).rawValue)
  }

  private func interrupted(_ signal: Int32) -> ExitCode {
    Console.say("ended by \(signal == SIGINT ? "SIGINT" : "SIGTERM"); the output is not complete")
    return .signal(signal)
  }

  private func end(_ ended: RunThread.Ended, _ file: SideFile?) -> ExitCode {
    let report = ended.report
    var code = exitCode(report)
    if !job.words.progress.quiet {
      for note in report.notes { Console.note(note) }
    }
    if job.words.verbose {
      for line in RunSummary.streams(report) { Console.note(line) }
    }
    if report.status.isError, let signal = Interrupts.caught {
      code = interrupted(signal)
    } else if let error = report.error, code != .closedOutput {
      Console.say(error.text)
    }
    if let error = ended.timelineError {
      Console.say(error.text)
      if code == .success { code = .run }
    }
    let times = start.times
    if job.plan.benchmarkReads != nil, code == .success {
      code = Console.write(RunSummary.benchmark(report))
    }
    if job.words.stats {
      _ = Console.put(RunSummary.table(report, hasReads: job.hasReads), to: 2)
    }
    if let file {
      do throws(WorkpoolError) {
        try file.write(RunReport.json(job, report, times, code))
      } catch {
        Console.say(error.text)
        if code == .success { code = .run }
      }
    }
    return code
  }

  private func exitCode(_ report: ProcessReport) -> ExitCode {
    guard report.status.isError else { return .success }
    return report.error.map { ExitCode($0) } ?? .run
  }
}
