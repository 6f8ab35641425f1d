// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Events as JSON, the same in the journal and for `--progress json`.
public struct JobEventText: Sendable {
  /// Of the run, in `wpl_now` time and in that of the calendar.
  public let start: Int64
  public let wallStart: Int64

  public init(start: Int64, wallStart: Int64) {
    self.start = start
    self.wallStart = wallStart
  }

  public func members(_ event: JobEvent, seq: Int) -> [JSONValue.Member] {
    var members = [
      JSONValue.Member("event", .text("\(event.kind.name)")),
      JSONValue.Member("seq", .int(seq)),
      JSONValue.Member("t", .int(Int(event.time - start))),
      JSONValue.Member("time", .text(RunName.isoTime(wallStart + event.time - start))),
    ]
    guard event.job != nil else { return members }
    members.append(JSONValue.Member("job", .text(event.id)))
    if event.attempt > 0 {
      members.append(JSONValue.Member("attempt", .int(Int(event.attempt))))
      members.append(JSONValue.Member("slot", .int(Int(event.slot))))
    }
    switch event.kind {
    case .jobFinished, .jobSkipped, .jobRetrying:
      members.append(JSONValue.Member("state", .text("\(event.state.name)")))
      members.append(JSONValue.Member("reason", .text("\(event.reason.name)")))
      if event.reason != .none && event.state != .skipped {
        members.append(JSONValue.Member("detail", .int(Int(event.detail))))
      }
    default: break
    }
    switch event.kind {
    case .batchStarted, .batchFinished:
      members.append(JSONValue.Member("batch", .int(Int(event.item))))
      if event.kind == .batchStarted {
        members.append(JSONValue.Member("items", .int(Int(event.count))))
      }
    case .itemFinished, .workerCrashed:
      members.append(
        JSONValue.Member("item", event.item < 0 ? .null : .int(Int(event.item))))
      if event.kind == .itemFinished {
        members.append(JSONValue.Member("state", .text("\(event.state.name)")))
        members.append(JSONValue.Member("reason", .text("\(event.reason.name)")))
      }
    default: break
    }
    if event.process > 0 {
      members.append(JSONValue.Member("worker_pid", .int(Int(event.process))))
    }
    if event.kind == .jobRetrying {
      members.append(JSONValue.Member("retry_t", .int(Int(event.retryTime - start))))
    }
    if !event.chain.isEmpty {
      members.append(JSONValue.Member("root", .text(event.root)))
      members.append(JSONValue.Member("via", .text(event.via)))
      members.append(JSONValue.Member("chain", .list(event.chain.map { .text($0) })))
    }
    if !event.text.isEmpty { members.append(JSONValue.Member("text", .text(event.text))) }
    return members
  }

  /// What is known of an attempt when it has ended.
  public static func members(_ end: ChildEnd) -> [JSONValue.Member] {
    var members = [
      JSONValue.Member("peak_memory", .int(Int(end.peakMemory))),
      JSONValue.Member("cpu_ns", .int(Int(end.userTime + end.systemTime))),
    ]
    if !end.signals.isEmpty {
      members.append(
        JSONValue.Member("signals", .list(end.signals.map { .text(SignalName.text($0.number)) })))
    }
    return members
  }
}

public enum SignalName {
  public static func text(_ number: Int32) -> String {
    wpl_signal_name(number).map { String(cString: $0) } ?? "signal \(number)"
  }
}

/// How a job ended, for people.
public enum JobWords {
  public static func how(_ state: String, _ reason: String, _ detail: Int) -> String {
    switch (state, reason) {
    case ("FAILED", "exit"): return "failed (exit \(detail))"
    case ("FAILED", "signal"):
      return "failed (\(SignalName.text(Int32(truncatingIfNeeded: detail))))"
    case ("FAILED", "spawn"):
      return detail == 0
        ? "failed (could not start)"
        : "failed (could not start: "
          + String(cString: strerror(Int32(truncatingIfNeeded: detail))) + ")"
    case ("FAILED", _): return "failed (\(reason))"
    case ("TIMEOUT", "deadline"): return "timed out (deadline)"
    case ("TIMEOUT", _): return "timed out"
    case ("CANCELLED", _): return "cancelled (\(reason))"
    case ("SKIPPED", _): return "skipped (\(reason))"
    case ("COMPLETED", _): return "ok"
    default: return state.isEmpty ? "PENDING" : state
    }
  }
}
