// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// What the journal of a run tells. It is read as it is: torn and damaged lines say nothing.
struct RunHistory {
  struct Attempt {
    var number: Int
    var start: Int64
    /// nil: nobody wrote down how it ended.
    var end: Int64?
    var slot = 0
    var state = ""
    var reason = ""
    var detail = 0
    var peakMemory = 0
    var cpu: Int64 = 0
    var signals: [String] = []
  }

  struct Job {
    var id: String
    var hash = ""
    var after: [String] = []
    var memory = 0
    var priority = 0
    /// The last one that was written; empty: none.
    var state = ""
    var reason = ""
    var detail = 0
    var text = ""
    var chain: [String] = []
    var root: String?
    var ready: Int64?
    var submitted: Int64 = 0
    var ended: Int64?
    var allowsFailure = false
    var attempts: [Attempt] = []
    var outputs: [JSONValue.Member] = []
    var warnings: [String] = []
    /// The job that added it, and what it said.
    var adder: String?
    var addedText: JSONValue?

    /// Its work is there; what was filtered out never did any.
    var hasDoneWork: Bool { state == "COMPLETED" || state == "SKIPPED" && reason != "filtered" }
    var isDone: Bool { state == "COMPLETED" || state == "SKIPPED" }
    var isTerminal: Bool { isDone || ["FAILED", "TIMEOUT", "CANCELLED"].contains(state) }
    /// It began and nobody knows how it ended.
    var isInterrupted: Bool { !isTerminal && attempts.last.map { $0.end == nil } ?? false }
  }

  let path: String
  private(set) var header: JSONValue
  private(set) var jobs: [Job] = []
  private(set) var places: [String: Int] = [:]
  /// Time of the last line.
  private(set) var lastTime: Int64 = 0
  private(set) var isFinished = false

  var id: String { header["run"]?.text ?? "" }
  var bootID: String { header["boot_id"]?.text ?? "" }
  var startTime: Int64 { Int64(header["start_ns"]?.int ?? 0) }

  /// - Parameter folder: of the run.
  init(folder: String) throws(Failure) {
    let bytes: [UInt8]
    do throws(WorkpoolError) {
      bytes = try WholeFile.readAny(folder + "/run.jsonl")
    } catch {
      throw Failure(exitCode: .usage, messages: [error.text])
    }
    try self.init(bytes, path: folder)
  }

  init(_ bytes: [UInt8], path: String) throws(Failure) {
    self.path = path
    let lines = JournalLine.read(bytes)
    guard let first = lines.first, first["type"]?.text == "run", first["schema"]?.int == 1,
      first["run"]?.text != nil
    else {
      throw .usage("\(path)/run.jsonl: this is no journal of a run, or its first line is damaged")
    }
    header = first
    for line in lines.dropFirst() { take(line) }
  }

  /// The process that a run's first line names.
  static func holder(of folder: String) -> Int? {
    guard let bytes = try? WholeFile.readAny(folder + "/run.jsonl") else { return nil }
    return JournalLine.read(bytes).first?["pid"]?.int
  }

  func job(_ id: String) -> Job? { places[id].map { jobs[$0] } }

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

/// Runs under a log folder.
enum Runs {
  /// Ids, oldest first.
  static func all(in logFolder: String) -> [String] {
    var found: [(String, Int64)] = []
    for name in names(logFolder) {
      var info = stat()
      guard stat(logFolder + "/" + name + "/run.jsonl", &info) == 0 else { continue }
      let first = RunHistory.headLine(logFolder + "/" + name)
      found.append((name, Int64(first?["start_ns"]?.int ?? 0)))
    }
    return found.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map { $0.0 }
  }

  /// The folder of a run: its own path, an id, the beginning of a single id, or, for nil, the last one.
  static func folder(_ name: String?, in logFolder: String) throws(Failure) -> String {
    guard let name else {
      guard let last = all(in: logFolder).last else {
        throw .usage("there is no run in \(logFolder)")
      }
      return logFolder + "/" + last
    }
    for path in [logFolder + "/" + name, name] where access(path + "/run.jsonl", F_OK) == 0 {
      return path
    }
    let candidates = all(in: logFolder).filter { $0.hasPrefix(name) }
    if candidates.count == 1 { return logFolder + "/" + candidates[0] }
    throw .usage(
      "there is no run \(name) in \(logFolder)"
        + (candidates.isEmpty ? "" : "; it could be \(candidates.joined(separator: ", "))"))
  }

  static func names(_ folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }
}

extension RunHistory {
  /// The first line of a run's journal, if it is whole.
  static func headLine(_ folder: String) -> JSONValue? {
    let descriptor = open(folder + "/run.jsonl", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { Glibc.close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? JournalLine.read(Array(bytes[..<count])).first : nil
  }
}
