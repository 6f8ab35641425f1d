// SPDX-License-Identifier: MIT

extension JobChart {
  /// As Trace Event JSON, for chrome://tracing and Perfetto.
  ///
  /// A bar for each attempt (process 1 CPU, 2 I/O, 3 child processes; thread = slot), arrows along
  /// dependencies, counters of running and ready jobs and of memory, instants for cancels, retries and
  /// crashes. Times in microseconds.
  public var traceText: String {
    var lines: [String] = []
    nameRows(&lines)
    let info = jobsByID
    for bar in bars { lines.append(line(of: bar, info[bar.id])) }
    drawArrows(&lines)
    count(&lines)
    markInstants(&lines)
    var text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
    for (index, line) in lines.enumerated() {
      text += line + (index + 1 < lines.count ? ",\n" : "\n")
    }
    return text + "]}\n"
  }

  private var jobsByID: [String: Job] {
    var jobsByID: [String: Job] = [:]
    for job in jobs { jobsByID[job.id] = job }
    return jobsByID
  }

  private func nameRows(_ lines: inout [String]) {
    for lane in Lane.allCases {
      let slots = Set(bars.filter { $0.lane == lane }.map { $0.slot })
      if slots.isEmpty { continue }
      let head = "{\"ph\":\"M\",\"pid\":\(lane.rawValue),\"name\":"
      lines.append(head + "\"process_name\",\"args\":{\"name\":\"\(lane.name)\"}}")
      for slot in slots.sorted() {
        let name = slot < 0 ? "lent" : "slot \(slot)"
        lines.append(head + "\"thread_name\",\"tid\":\(slot),\"args\":{\"name\":\"\(name)\"}}")
      }
    }
  }

  private func line(of bar: Bar, _ job: Job?) -> String {
    var text = "{\"ph\":\"X\",\"cat\":\"job\",\"name\":\"\(Self.escaped(bar.id))\","
    text += Self.place(bar) + ",\"ts\":\(bar.start / 1000),"
    text += "\"dur\":\(max(0, bar.end / 1000 - bar.start / 1000)),\"args\":{"
    text += "\"state\":\"\(bar.state.name)\",\"attempt\":\(bar.attempt),"
    text += "\"priority\":\(job?.priority ?? 0),\"hint\":\"\((job?.hint ?? .lightCPU).name)\""
    if bar.reason == .exit { text += ",\"exit\":\(bar.detail)" }
    return text + "}}"
  }

  private static func place(_ bar: Bar) -> String {
    "\"pid\":\(bar.lane.rawValue),\"tid\":\(bar.slot)"
  }

  private func drawArrows(_ lines: inout [String]) {
    var first: [String: Bar] = [:]
    var last: [String: Bar] = [:]
    for bar in bars {
      if first[bar.id] == nil { first[bar.id] = bar }
      last[bar.id] = bar
    }
    var arrow = 0
    for job in jobs {
      guard let to = first[job.id] else { continue }
      for dependency in job.dependencies {
        guard let from = last[dependency] else { continue }
        arrow += 1
        let head = "\"cat\":\"dependency\",\"name\":\"needs\",\"id\":\(arrow),"
        lines.append(
          "{\"ph\":\"s\"," + head + Self.place(from) + ",\"ts\":\(from.end / 1000)}")
        lines.append(
          "{\"ph\":\"f\",\"bp\":\"e\"," + head + Self.place(to) + ",\"ts\":\(to.start / 1000)}")
      }
    }
  }

  /// How the numbers of running and ready jobs and the memory change.
  private func count(_ lines: inout [String]) {
    struct Change {
      var time: Int64
      var running = 0
      var ready = 0
      var memory: Int64 = 0
    }
    let info = jobsByID
    var starts: [String: Int64] = [:]
    var changes: [Change] = []
    for bar in bars {
      if starts[bar.id] == nil { starts[bar.id] = bar.start }
      let memory = Int64(min(info[bar.id]?.memory ?? 0, 1 << 62))
      changes.append(Change(time: bar.start, running: 1, memory: memory))
      changes.append(Change(time: bar.end, running: -1, memory: -memory))
    }
    for job in jobs {
      guard let ready = job.ready, let gone = starts[job.id] ?? job.end else { continue }
      changes.append(Change(time: ready, ready: 1))
      changes.append(Change(time: gone, ready: -1))
    }
    changes.sort { $0.time < $1.time }
    let showsMemory = info.values.contains { $0.memory > 0 }
    var now = Change(time: 0)
    for (index, change) in changes.enumerated() {
      now.running += change.running
      now.ready += change.ready
      now.memory += change.memory
      if index + 1 < changes.count && changes[index + 1].time == change.time { continue }
      let head = "{\"ph\":\"C\",\"pid\":1,\"ts\":\(change.time / 1000),\"name\":"
      lines.append(
        head + "\"jobs\",\"args\":{\"running\":\(now.running),\"ready\":\(now.ready)}}")
      if showsMemory {
        lines.append(head + "\"memory\",\"args\":{\"memory\":\(now.memory)}}")
      }
    }
  }

  private func markInstants(_ lines: inout [String]) {
    func mark(_ what: String, _ id: String, _ time: Int64) {
      lines.append(
        "{\"ph\":\"i\",\"s\":\"g\",\"pid\":1,\"tid\":0,\"ts\":\(time / 1000),"
          + "\"name\":\"\(what) \(Self.escaped(id))\"}")
    }
    for job in jobs where job.state == .cancelled { mark("cancel", job.id, job.end ?? 0) }
    for bar in bars where bar.reason == .crashed { mark("crash", bar.id, bar.end) }
    for bar in bars where bar.attempt > 1 { mark("retry", bar.id, bar.start) }
  }

  static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": escaped += "\\\""
      case "\\": escaped += "\\\\"
      case _ where scalar.value < 32:
        let digits = "0123456789abcdef".unicodeScalars.map { Character($0) }
        escaped += "\\u00" + String(digits[Int(scalar.value >> 4)])
        escaped += String(digits[Int(scalar.value & 15)])
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

extension JobSpec.Hint {
  public var name: StaticString {
    switch self {
    case .lightCPU: "light_cpu"
    case .heavyCPU: "heavy_cpu"
    case .lightIO: "light_io"
    case .heavyIO: "heavy_io"
    }
  }
}
