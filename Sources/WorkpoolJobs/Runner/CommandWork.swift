// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A child process for each attempt.
public final class CommandWork: DetachedWork {
  private let command: (JobContext) -> ChildCommand
  private let warn: ((JobContext, String) -> Void)?
  private var context: JobContext?
  private var child: ChildProcess?

  /// - Parameters:
  ///   - command: called by the service thread before every attempt.
  ///   - warn: told of processes that the child left behind.
  public init(
    warn: ((JobContext, String) -> Void)? = nil, _ command: @escaping (JobContext) -> ChildCommand
  ) {
    self.command = command
    self.warn = warn
  }

  public override func begin(_ context: JobContext) -> JobOutcome? {
    self.context = context
    do throws(WorkpoolError) {
      var command = command(context)
      let recorder = context.recorder
      if let recorder { Self.keepRecord(of: &command, context, recorder) }
      let child = try ChildProcess(command)
      self.child = child
      recorder?.write([
        .init("type", .text("spawn")), .init("job", .text(context.id)),
        .init("attempt", .int(Int(context.attempt))), .init("pid", .int(Int(child.id))),
        .init("pgid", .int(Int(child.id))), .init("start_ticks", .int(Int(child.startTicks))),
      ])
      return nil
    } catch {
      return JobOutcome(.spawn, error.systemError, error.text)
    }
  }

  /// Words that would go nowhere go to files of the run, and its processes are known by their variables.
  private static func keepRecord(
    of command: inout ChildCommand, _ context: JobContext, _ recorder: RunRecorder
  ) {
    if command.output == .none {
      command.output = .file(recorder.file(context.id, attempt: context.attempt, "out"))
    }
    if command.errors == .none {
      command.errors = .file(recorder.file(context.id, attempt: context.attempt, "err"))
    }
    let variables = recorder.variables(context)
    command.environment = variables + (command.environment ?? ChildCommand.inheritedEnvironment)
  }

  public override var descriptor: Int32 { child?.descriptor ?? -1 }
  public override var due: Int64? { child?.due }

  public override func advance(now: Int64) -> JobOutcome? {
    guard let child, let end = child.advance(now: now) else { return nil }
    self.child = nil
    if let context { context.noteEnd(end) }
    if !end.leftovers.isEmpty, let context {
      var text = "left processes behind:"
      for process in end.leftovers { text += " \(process)" }
      warn?(context, text)
    }
    context = nil
    return Self.outcome(of: end)
  }

  public override func stop(now: Int64) { _ = child?.stop(now: now) }
  public override func kill(now: Int64) { _ = child?.kill(now: now) }

  /// What an attempt came to whose child ended like this.
  public static func outcome(of end: ChildEnd) -> JobOutcome {
    var outcome: JobOutcome
    if end.isLost {
      outcome = JobOutcome(
        .error, Status.invalidState.rawValue, "its end was taken by somebody else")
    } else if let signal = end.signal {
      let name = wpl_signal_name(signal).map { String(cString: $0) } ?? "signal \(signal)"
      outcome = JobOutcome(.signal, signal, "killed by \(name)")
    } else if end.exitCode == 0 {
      outcome = .completed
    } else {
      outcome = JobOutcome(.exit, end.exitCode ?? -1)
    }
    outcome.wasSignalled = end.wasStopped
    outcome.cpuNanoseconds = end.userTime + end.systemTime
    outcome.peakMemory = UInt64(max(0, end.peakMemory))
    return outcome
  }
}
