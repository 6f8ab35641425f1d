// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A child process in a group of its own, until nothing that must go is left of the group.
///
/// It has no thread and waits for nothing: who owns it polls `descriptor` for input until `due`, and
/// then calls `advance`. One thread at a time.
///
/// The leader is reaped last. As long as it is not, its number cannot become another process's, so
/// signals to the group reach the right ones.
///
/// ```
/// running ──ended──► nothing left, or it may stay ──────────────────► reaped
///    │                        │ must go
///    └─ stop: SIGTERM,        ▼
///       later SIGKILL      sweeping: SIGTERM, later SIGKILL, no more ─► reaped
/// ```
public final class ChildProcess {
  /// For members of the group to go after SIGTERM where nobody said how long.
  public static let leftoverGrace: Int64 = 200_000_000
  /// For processes to go after SIGKILL. One that the kernel holds longer is named, not waited for.
  private static let killTime: Int64 = 1_000_000_000
  /// Between two looks where members cannot be watched.
  private static let lookInterval: Int64 = 10_000_000

  private enum Phase {
    case running
    case sweeping(until: Int64)
    case ended
  }

  private var process: wpl_process
  private let rule: LeftoverRule
  private let killGrace: Int64
  private var phase = Phase.running
  private var result = ChildEnd()
  private var killDue: Int64?
  private var hasKilled = false
  /// Of a member of the group that must go.
  private var memberWatch: Int32 = -1

  /// Number of the process and of its group.
  public let id: Int32
  /// When it began, in clock ticks since the start of the system: tells it from a later process with
  /// the same number; 0: unknown.
  public let startTicks: UInt64

  /// What to poll for input now; -1: nothing, `due` says when to look.
  public private(set) var descriptor: Int32
  /// When `advance` must be called at the latest, in `wpl_now` time.
  public private(set) var due: Int64?

  /// Starts the command.
  ///
  /// - Throws: `ioFailed` with the errno where a file cannot be opened or the program not be started;
  ///   `unsupported` if this process ignores SIGCHLD.
  public init(_ command: ChildCommand) throws(WorkpoolError) {
    guard let program = command.arguments.first, !program.isEmpty else {
      throw WorkpoolError(.invalidArgument, "there is no program to start")
    }
    let output = try Self.open(command.output)
    defer { Self.close(output, command.output) }
    let errors = command.errors == .sameAsOutput ? output : try Self.open(command.errors)
    defer { Self.close(errors, command.errors) }

    var started = wpl_process()
    let arguments = CStrings(command.arguments)
    let environment = command.environment.map { CStrings($0) }
    let folder = command.folder.map { CStrings([$0]) }
    let input = command.input.map { CStrings([$0]) }
    var options = wpl_process_start_options()
    options.arguments = arguments.pointers
    options.environment = environment?.pointers
    options.folder = folder?.first
    options.input = input?.first
    options.output = output
    options.errors = errors
    options.owns_terminal = command.ownsTerminal ? 1 : 0
    var channel: [Int32] = []
    if let ends = command.channel { channel = [ends.input, ends.output] }
    let failed = channel.withUnsafeBufferPointer { ends in
      options.channel = ends.isEmpty ? nil : ends.baseAddress
      return wpl_process_start(&options, &started)
    }
    withExtendedLifetime((arguments, environment, folder, input)) {}
    if failed == -Int32(WPL_PROCESS_IGNORED_SIGCHLD) {
      throw WorkpoolError(
        .unsupported, "this process ignores SIGCHLD: how children end could not be seen")
    }
    guard failed == 0 else {
      throw WorkpoolError(.ioFailed, "cannot start", path: program, systemError: -failed)
    }
    process = started
    rule = command.leftovers
    killGrace = command.killGrace
    id = started.process
    startTicks = started.start_ticks
    descriptor = started.descriptor
  }

  deinit {
    if memberWatch >= 0 { _ = wpl_file_close(memberWatch) }
    if case .ended = phase { return }
    // Nobody waited for its end. It must not outlive whoever knows of it.
    _ = wpl_process_signal_group(id, wpl_sigkill)
    var end = wpl_process_end()
    _ = wpl_process_reap(&process, 1, &end)
  }

  // MARK: Stop

  /// SIGTERM and SIGCONT to the group, SIGKILL after the grace; later calls do nothing.
  ///
  /// - Returns: false if it had ended already: then its exit status is how it ended.
  public func stop(now: Int64) -> Bool {
    guard case .running = phase, wpl_process_has_ended(&process) == 0 else { return false }
    guard !result.wasStopped else { return true }
    result.wasStopped = true
    send(wpl_sigterm, now)
    _ = wpl_process_signal_group(id, wpl_sigcont)
    killDue = now > Int64.max - killGrace ? Int64.max : now + killGrace
    due = killDue
    return true
  }

  /// SIGKILL to the group.
  ///
  /// - Returns: as `stop` does.
  public func kill(now: Int64) -> Bool {
    switch phase {
    case .ended: return false
    case .sweeping:
      if hasKilled { return result.wasStopped }
      send(wpl_sigkill, now)
      hasKilled = true
      phase = .sweeping(until: now + Self.killTime)
      due = now
      return result.wasStopped
    case .running:
      guard wpl_process_has_ended(&process) == 0 else { return false }
      if hasKilled { return true }
      result.wasStopped = true
      send(wpl_sigkill, now)
      hasKilled = true
      killDue = nil
      due = nil
      return true
    }
  }

  private func send(_ number: Int32, _ now: Int64) {
    _ = wpl_process_signal_group(id, number)
    result.signals.append(ChildEnd.SentSignal(number: number, time: now))
  }

  // MARK: End

  /// Does what is due. Call it when `descriptor` is readable or `due` has come; earlier is harmless.
  ///
  /// - Returns: how it ended, once; from then on there is nothing to poll.
  public func advance(now: Int64) -> ChildEnd? {
    switch phase {
    case .ended: return nil
    case .running:
      let hasEnded = wpl_process_has_ended(&process)
      if hasEnded == 0 {
        if let killDue, now >= killDue {
          send(wpl_sigkill, now)
          hasKilled = true
          self.killDue = nil
          due = nil
        }
        return nil
      }
      guard hasEnded == 1 else { return reap(lost: true) }
      return leaderEnded(now)
    case .sweeping(let limit): return sweep(until: limit, now)
    }
  }

  private func leaderEnded(_ now: Int64) -> ChildEnd? {
    let members = members()
    result.leftovers = members
    if result.wasStopped {
      // They were told to go together with the leader.
      return sweep(until: hasKilled ? now + Self.killTime : killDue ?? now, now, members)
    }
    guard !members.isEmpty, rule == .kill else {
      result.remaining = members
      return reap(lost: false)
    }
    send(wpl_sigterm, now)
    _ = wpl_process_signal_group(id, wpl_sigcont)
    return sweep(until: now + Self.leftoverGrace, now, members)
  }

  private func sweep(until limit: Int64, _ now: Int64, _ known: [Int32]? = nil) -> ChildEnd? {
    let left = known ?? members()
    if left.isEmpty { return reap(lost: false) }
    var limit = limit
    if now >= limit {
      if hasKilled {
        result.remaining = left
        return reap(lost: false)
      }
      send(wpl_sigkill, now)
      hasKilled = true
      limit = now + Self.killTime
    }
    phase = .sweeping(until: limit)
    watch(left[0])
    due = memberWatch >= 0 ? limit : min(limit, now + Self.lookInterval)
    return nil
  }

  /// Wakes whoever polls when this one has gone.
  private func watch(_ member: Int32) {
    if memberWatch >= 0 { _ = wpl_file_close(memberWatch) }
    memberWatch = wpl_process_watch(member)
    // It may have gone just now, and its number be another's, which is none of the group: the next
    // look, in a moment, tells.
    descriptor = max(memberWatch, -1)
  }

  private func members() -> [Int32] {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 64) { room in
      let count = wpl_process_members(id, room.baseAddress!, 64)
      // Where the system does not tell, nobody is known of; a signal goes to the group all the same.
      if count < 0 {
        if rule == .kill { _ = wpl_process_signal_group(id, wpl_sigkill) }
        return []
      }
      return Array(room[..<Int(min(count, 64))])
    }
  }

  private func reap(lost: Bool) -> ChildEnd {
    var end = wpl_process_end()
    let failed = wpl_process_reap(&process, 0, &end)
    result.isLost = lost || failed != 0
    if !result.isLost {
      result.exitCode = end.code >= 0 ? end.code : nil
      result.signal = end.signal > 0 ? end.signal : nil
      result.userTime = end.user_time
      result.systemTime = end.system_time
      result.peakMemory = end.peak_memory
    }
    phase = .ended
    descriptor = -1
    due = nil
    if memberWatch >= 0 { _ = wpl_file_close(memberWatch) }
    memberWatch = -1
    return result
  }

  // MARK: Files

  private static func open(_ output: ChildCommand.Output) throws(WorkpoolError) -> Int32 {
    switch output {
    case .none, .sameAsOutput: return -1
    case .descriptor(let descriptor): return descriptor
    case .file(let path):
      let descriptor = wpl_file_open(path, Int32(WPL_OPEN_LOG))
      guard descriptor >= 0 else {
        throw WorkpoolError(.ioFailed, "cannot create", path: path, systemError: -descriptor)
      }
      return descriptor
    }
  }

  private static func close(_ descriptor: Int32, _ output: ChildCommand.Output) {
    if case .file = output { _ = wpl_file_close(descriptor) }
  }
}

/// Texts as C has them, and a list of them that NULL ends.
private final class CStrings {
  private let bytes: UnsafeMutablePointer<CChar>
  private let starts: UnsafeMutablePointer<UnsafePointer<CChar>?>

  init(_ texts: [String]) {
    var size = 0
    for text in texts { size += text.utf8.count + 1 }
    bytes = .allocate(capacity: max(size, 1))
    starts = .allocate(capacity: texts.count + 1)
    var place = bytes
    for (index, text) in texts.enumerated() {
      starts[index] = UnsafePointer(place)
      for byte in text.utf8 {
        place.pointee = CChar(bitPattern: byte)
        place += 1
      }
      place.pointee = 0
      place += 1
    }
    starts[texts.count] = nil
  }

  deinit {
    bytes.deallocate()
    starts.deallocate()
  }

  var pointers: UnsafePointer<UnsafePointer<CChar>?> { UnsafePointer(starts) }
  var first: UnsafePointer<CChar>? { starts[0] }
}
