// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// What the journal of a run tells. It is read as it is: torn and damaged lines say nothing.
public struct RunHistory: Sendable {
  public struct Attempt: Sendable {
    public var number: Int
    public var start: Int64
    /// nil: nobody wrote down how it ended.
    public var end: Int64?
    public var slot = 0
    public var state = ""
    public var reason = ""
    public var detail = 0
    public var peakMemory = 0
    public var cpu: Int64 = 0
    public var signals: [String] = []
  }

  public struct Job: Sendable {
    public var id: String
    public var hash = ""
    public var after: [String] = []
    public var memory = 0
    public var priority = 0
    /// The last one that was written; empty: none.
    public var state = ""
    public var reason = ""
    public var detail = 0
    public var text = ""
    public var chain: [String] = []
    public var root: String?
    public var ready: Int64?
    public var submitted: Int64 = 0
    public var ended: Int64?
    public var allowsFailure = false
    public var attempts: [Attempt] = []
    public var outputs: [JSONValue.Member] = []
    public var result: StoredResult?
    public var warnings: [String] = []
    /// The job that added it, and what it said.
    public var adder: String?
    public var addedText: JSONValue?

    /// Its work is there; what was filtered out never did any.
    public var hasDoneWork: Bool {
      state == "COMPLETED" || state == "SKIPPED" && reason != "filtered"
    }
    public var isDone: Bool { state == "COMPLETED" || state == "SKIPPED" }
    public var isTerminal: Bool {
      isDone || state == "FAILED" || state == "TIMEOUT" || state == "CANCELLED"
    }
    /// It began and nobody knows how it ended.
    public var isInterrupted: Bool {
      !isTerminal && attempts.last.map { $0.end == nil } ?? false
    }
  }

  public let path: String
  public private(set) var header: JSONValue
  public private(set) var jobs: [Job] = []
  public private(set) var places: [String: Int] = [:]
  /// Time of the last line.
  public private(set) var lastTime: Int64 = 0
  public private(set) var isFinished = false

  public var id: String { header["run"]?.text ?? "" }
  public var bootID: String { header["boot_id"]?.text ?? "" }
  public var startTime: Int64 { Int64(header["start_ns"]?.int ?? 0) }

  /// - Parameter folder: of the run.
  /// - Throws: `ioFailed`, `corruptInput` if its journal is none.
  public init(folder: String) throws(WorkpoolError) {
    try self.init(SmallFile.read(folder + "/run.jsonl"), path: folder)
  }

  public init(_ bytes: [UInt8], path: String) throws(WorkpoolError) {
    self.path = path
    let lines = JournalLine.read(bytes)
    guard let first = lines.first, first["type"]?.text == "run", first["schema"]?.int == 1,
      first["run"]?.text != nil
    else {
      throw WorkpoolError(
        .corruptInput, "this is no journal of a run, or its first line is damaged",
        path: path + "/run.jsonl")
    }
    header = first
    for line in lines.dropFirst() { take(line) }
  }

  public func job(_ id: String) -> Job? { places[id].map { jobs[$0] } }

  private mutating func take(_ line: JSONValue) {
    if let time = line["t"]?.int { lastTime = max(lastTime, Int64(time)) }
    let kind = line["event"]?.text ?? line["type"]?.text ?? ""
    if kind == "run_finished" { isFinished = true }
    guard let id = line["job"]?.text else { return }
    let time = Int64(line["t"]?.int ?? 0)
    let place = place(of: id)
    switch kind {
    case "job_submitted":
      jobs[place].hash = line["hash"]?.text ?? ""
      jobs[place].after = (line["after"]?.list ?? []).compactMap { $0.text }
      jobs[place].memory = line["memory"]?.int ?? 0
      jobs[place].priority = line["priority"]?.int ?? 0
      jobs[place].allowsFailure = line["allow_failure"]?.bool ?? false
      jobs[place].submitted = time
      jobs[place].adder = line["added_by"]?.text
      jobs[place].addedText = line["definition"]
    case "job_ready":
      if jobs[place].ready == nil { jobs[place].ready = time }
      if !jobs[place].isTerminal { jobs[place].state = "READY" }
    case "job_started":
      jobs[place].state = "RUNNING"
      jobs[place].attempts.append(
        Attempt(number: line["attempt"]?.int ?? 0, start: time, slot: line["slot"]?.int ?? 0))
    case "job_retrying":
      close(place, line, time)
      jobs[place].state = "WAITING"
    case "job_finished", "job_skipped":
      let state = line["state"]?.text ?? ""
      if jobs[place].state == "RUNNING" { close(place, line, time) }
      jobs[place].state = state
      jobs[place].reason = line["reason"]?.text ?? ""
      jobs[place].detail = line["detail"]?.int ?? 0
      jobs[place].text = line["text"]?.text ?? ""
      jobs[place].root = line["root"]?.text
      jobs[place].chain = (line["chain"]?.list ?? []).compactMap { $0.text }
      jobs[place].ended = time
      if case .object(let members)? = line["outputs"] { jobs[place].outputs = members }
      jobs[place].result = line["result"].flatMap { StoredResult($0) }
    case "warning": jobs[place].warnings.append(line["text"]?.text ?? "")
    default: break
    }
  }

  private mutating func place(of id: String) -> Int {
    if let place = places[id] { return place }
    places[id] = jobs.count
    jobs.append(Job(id: id))
    return jobs.count - 1
  }

  private mutating func close(_ place: Int, _ line: JSONValue, _ time: Int64) {
    guard var attempt = jobs[place].attempts.popLast() else { return }
    attempt.end = time
    attempt.state = line["state"]?.text ?? ""
    attempt.reason = line["reason"]?.text ?? ""
    attempt.detail = line["detail"]?.int ?? 0
    attempt.peakMemory = line["peak_memory"]?.int ?? 0
    attempt.cpu = Int64(line["cpu_ns"]?.int ?? 0)
    attempt.signals = (line["signals"]?.list ?? []).compactMap { $0.text }
    jobs[place].attempts.append(attempt)
  }
}

private final class FoundNames {
  var names: [String] = []
}

/// Runs under a log folder.
public enum Runs {
  /// Ids, oldest first.
  public static func all(in logFolder: String) -> [String] {
    var found: [(String, Int64)] = []
    for name in names(logFolder) where isThere(logFolder + "/" + name + "/run.jsonl") {
      let first = RunHistory.headLine(logFolder + "/" + name)
      found.append((name, Int64(first?["start_ns"]?.int ?? 0)))
    }
    return found.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map { $0.0 }
  }

  /// The folder of a run: its own path, an id, the beginning of a single id, or, for nil, the last one.
  /// - Throws: `notFound`.
  public static func folder(
    _ name: String?, in logFolder: String
  ) throws(WorkpoolError) -> String {
    guard let name else {
      guard let last = all(in: logFolder).last else {
        throw WorkpoolError(.notFound, "there is no run in \(logFolder)")
      }
      return logFolder + "/" + last
    }
    for path in [logFolder + "/" + name, name] where isThere(path + "/run.jsonl") {
      return path
    }
    let start = Array(name.utf8)
    let candidates = all(in: logFolder).filter { $0.utf8.starts(with: start) }
    if candidates.count == 1 { return logFolder + "/" + candidates[0] }
    var text = "there is no run \(name) in \(logFolder)"
    for (index, candidate) in candidates.enumerated() {
      text += (index == 0 ? "; it could be " : ", ") + candidate
    }
    throw WorkpoolError(.notFound, text)
  }

  /// What is in a folder, but for what is hidden.
  public static func names(_ folder: String) -> [String] {
    let found = FoundNames()
    _ = wpl_folder_visit(
      folder,
      { context, name in
        guard let context, let name, name[0] != 46 else { return 1 }
        Unmanaged<FoundNames>.fromOpaque(context).takeUnretainedValue().names.append(
          String(cString: name))
        return 1
      }, Unmanaged.passUnretained(found).toOpaque())
    return found.names
  }
}

extension RunHistory {
  /// The first line of a run's journal, if it is whole.
  public static func headLine(_ folder: String) -> JSONValue? {
    do throws(WorkpoolError) {
      return JournalLine.read(try SmallFile.read(folder + "/run.jsonl", most: 65_536)).first
    } catch {
      return nil
    }
  }
}
