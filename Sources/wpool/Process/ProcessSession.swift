// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

/// One run from the opening of its files to the program's exit code.
struct ProcessSession {
  private let job: ProcessJob
  private let start = RunClock()

  init(_ job: ProcessJob) { self.job = job }

  func run() throws -> ExitCode {
    let reportFile = try ReportFile(job)
    do throws(WorkpoolError) {
      return end(try performed(), reportFile)
    } catch {
      if let signal = Interrupts.caught { return .signal(signal) }
      throw Failure(beforeStart: error)
    }
  }

  private func performed() throws(WorkpoolError) -> ProcessReport {
    let token = try Token()
    Interrupts.cancel(token)
    var plan = job.plan
    plan.pipeline.token = token
    var pool: Pool?
    if job.workers > 0 {
      var options = Pool.Options()
      options.workers = job.workers
      pool = try Pool(options)
    }
    let run = try ProcessRun(plan, on: pool)
    var progress = ProgressDisplay(job)
    try run.start()
    var isCancelled = false
    while !(try run.wait(timeout: ProgressDisplay.interval)) {
      if !isCancelled && token.isCancelled {
        isCancelled = true
        run.cancel()
      }
      progress.show(run.progress)
    }
    let report = run.finish()
    progress.end(run.progress, isComplete: report.error == nil)
    return report
  }

  private func end(_ report: ProcessReport, _ file: ReportFile?) -> ExitCode {
    var code = exitCode(report)
    let signal = report.error == nil ? nil : Interrupts.caught
    if !job.words.quiet {
      for note in report.notes { Console.note(note) }
    }
    if job.words.verbose {
      for line in RunSummary.streams(report) { Console.note(line) }
    }
    if let signal {
      Console.say("ended by \(signal == SIGINT ? "SIGINT" : "SIGTERM"); no output is complete")
    } else if let error = report.error, code != .closedOutput {
      Console.say(error.text)
    }
    let times = start.times
    if job.words.stats { _ = Console.put(RunSummary.table(report), to: 2) }
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
    guard let error = report.error else { return .success }
    return Interrupts.caught.map { .signal($0) } ?? ExitCode(error)
  }
}
