// SPDX-License-Identifier: MIT
import Workpool

/// When what ran on which slot, out of a journal.
struct RunTimeline {
  private struct Bar {
    var job: String
    var attempt: RunHistory.Attempt
    var end: Int64
  }

  private let history: RunHistory
  private let bars: [Bar]
  private let end: Int64
  private let critical: Set<String>

  init(_ history: RunHistory) {
    self.history = history
    end = max(history.lastTime, 1)
    bars = history.jobs.flatMap { job in
      job.attempts.map { Bar(job: job.id, attempt: $0, end: $0.end ?? history.lastTime) }
    }
    critical = Set(Self.criticalPath(history))
  }

  /// Backwards from the job that ended last: of what it waited for, always the one that ended last.
  static func criticalPath(_ history: RunHistory) -> [String] {
    func end(_ job: RunHistory.Job) -> Int64 { job.attempts.last?.end ?? -1 }
    guard var job = history.jobs.max(by: { end($0) < end($1) }), !job.attempts.isEmpty else {
      return []
    }
    var path = [job.id]
    while let next = job.after.compactMap({ history.job($0) }).filter({ !$0.attempts.isEmpty })
      .max(by: { end($0) < end($1) }), !path.contains(next.id)
    {
      path.append(next.id)
      job = next
    }
    return path.reversed()
  }

  // MARK: Trace Event JSON

  var trace: String {
    var events: [JSONValue] = [
      .object([
        .init("ph", .text("M")), .init("name", .text("process_name")), .init("pid", .int(3)),
        .init("args", .object([.init("name", .text("processes"))])),
      ])
    ]
    for slot in Set(bars.map { $0.attempt.slot }).sorted() {
      events.append(
        .object([
          .init("ph", .text("M")), .init("name", .text("thread_name")), .init("pid", .int(3)),
          .init("tid", .int(slot)),
          .init("args", .object([.init("name", .text("slot \(slot)"))])),
        ]))
    }
    for bar in bars { events.append(complete(bar)) }
    var arrow = 0
    for job in history.jobs {
      guard let first = job.attempts.first else { continue }
      for id in job.after {
        guard let last = history.job(id)?.attempts.last, let end = last.end else { continue }
        arrow += 1
        events.append(flow("s", arrow, end, last.slot))
        events.append(flow("f", arrow, first.start, first.slot))
      }
    }
    events += counters
    for job in history.jobs where job.state == "CANCELLED" {
      events.append(instant("cancelled \(job.id)", job.ended ?? 0))
    }
    for job in history.jobs {
      for attempt in job.attempts.dropLast() {
        events.append(instant("retry \(job.id)", attempt.end ?? 0))
      }
    }
    let root = JSONValue.object([
      .init("displayTimeUnit", .text("ms")), .init("traceEvents", .list(events)),
    ])
    return root.line + "\n"
  }

  private func micro(_ nanoseconds: Int64) -> JSONValue { .double(Double(nanoseconds) / 1000) }

  private func complete(_ bar: Bar) -> JSONValue {
    .object([
      .init("ph", .text("X")), .init("name", .text(bar.job)), .init("cat", .text("job")),
      .init("pid", .int(3)), .init("tid", .int(bar.attempt.slot)),
      .init("ts", micro(bar.attempt.start)), .init("dur", micro(bar.end - bar.attempt.start)),
      .init(
        "args",
        .object([
          .init("state", .text(bar.attempt.state)), .init("attempt", .int(bar.attempt.number)),
          .init("reason", .text(bar.attempt.reason)), .init("exit", .int(bar.attempt.detail)),
          .init("peak_memory", .int(bar.attempt.peakMemory)),
        ])),
    ])
  }

  private func flow(_ phase: String, _ number: Int, _ time: Int64, _ slot: Int) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("ph", .text(phase)), .init("name", .text("after")), .init("cat", .text("after")),
      .init("id", .int(number)), .init("pid", .int(3)), .init("tid", .int(slot)),
      .init("ts", micro(time)),
    ]
    if phase == "f" { members.append(.init("bp", .text("e"))) }
    return .object(members)
  }

  private func instant(_ name: String, _ time: Int64) -> JSONValue {
    .object([
      .init("ph", .text("i")), .init("name", .text(name)), .init("s", .text("p")),
      .init("pid", .int(3)), .init("tid", .int(0)), .init("ts", micro(time)),
    ])
  }

  /// How many run, and how many are ready, whenever one of these changes.
  private var counters: [JSONValue] {
    var changes: [(time: Int64, running: Int, ready: Int)] = []
    for bar in bars {
      changes.append((bar.attempt.start, 1, 0))
      changes.append((bar.end, -1, 0))
    }
    for job in history.jobs {
      guard let ready = job.ready, let first = job.attempts.first else { continue }
      changes.append((ready, 0, 1))
      changes.append((first.start, 0, -1))
    }
    var (running, ready) = (0, 0)
    return changes.sorted { $0.time < $1.time }.map { change in
      running += change.running
      ready += change.ready
      return .object([
        .init("ph", .text("C")), .init("name", .text("jobs")), .init("pid", .int(3)),
        .init("ts", micro(change.time)),
        .init("args", .object([.init("running", .int(running)), .init("ready", .int(ready))])),
      ])
    }
  }

  // MARK: Pictures

  private static let colors = [
    "COMPLETED": "#4c9f70", "FAILED": "#c8443c", "TIMEOUT": "#e08e2b", "CANCELLED": "#8d8d8d",
    "": "#5b7db1",
  ]

  var svg: String {
    let slots = Set(bars.map { $0.attempt.slot }).sorted()
    let (left, width, row) = (70.0, 1000.0, 24.0)
    let height = Double(max(1, slots.count)) * row + 40
    func x(_ time: Int64) -> Double { left + width * Double(time) / Double(end) }
    func number(_ value: Double) -> String { Figures.fixed(value, 2) }
    var text =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(number(left + width + 20))\" "
      + "height=\"\(number(height))\" font-family=\"sans-serif\" font-size=\"11\">\n"
      + "<title>\(Self.escaped(history.id))</title>\n"
    for (index, slot) in slots.enumerated() {
      text +=
        "<text x=\"4\" y=\"\(number(Double(index) * row + 20))\">slot \(slot)</text>\n"
    }
    for bar in bars {
      let index = slots.firstIndex(of: bar.attempt.slot) ?? 0
      let size = max(0.5, x(bar.end) - x(bar.attempt.start))
      let how = JobWords.how(bar.attempt.state, bar.attempt.reason, bar.attempt.detail)
      text +=
        "<rect x=\"\(number(x(bar.attempt.start)))\" y=\"\(number(Double(index) * row + 6))\" "
        + "width=\"\(number(size))\" height=\"\(number(row - 4))\" "
        + "fill=\"\(Self.colors[bar.attempt.state] ?? "#5b7db1")\""
        + (critical.contains(bar.job) ? " stroke=\"black\" stroke-width=\"1.5\"" : "")
        + "><title>\(Self.escaped(bar.job)) attempt \(bar.attempt.number): \(Self.escaped(how)), "
        + "\(Duration.text(bar.end - bar.attempt.start))</title></rect>\n"
    }
    let base = Double(slots.count) * row + 24
    for part in 0...4 {
      let time = end * Int64(part) / 4
      text +=
        "<text x=\"\(number(x(time)))\" y=\"\(number(base))\" text-anchor=\"middle\">"
        + "\(Duration.text(time))</text>\n"
    }
    return text + "</svg>\n"
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for character in text {
      switch character {
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "&": escaped += "&amp;"
      case "\"": escaped += "&quot;"
      default: escaped.append(character)
      }
    }
    return escaped
  }

  /// A line for each attempt, in the order of their starts.
  var ascii: String {
    let columns = 60
    var table: [[String]] = []
    for bar in bars.sorted(by: { ($0.attempt.start, $0.job) < ($1.attempt.start, $1.job) }) {
      let begin = Int(Double(columns) * Double(bar.attempt.start) / Double(end))
      let stop = max(begin + 1, Int(Double(columns) * Double(bar.end) / Double(end)))
      let mark = bar.attempt.state == "COMPLETED" ? "#" : bar.attempt.state == "" ? "?" : "x"
      let line =
        String(repeating: " ", count: begin) + String(repeating: mark, count: stop - begin)
        + String(repeating: " ", count: max(0, columns - stop))
      table.append([
        (critical.contains(bar.job) ? "*" : " ") + bar.job, String(bar.attempt.slot),
        "|" + line + "|", Duration.text(bar.end - bar.attempt.start),
      ])
    }
    var text = TextTable([
      " job", "slot", "|0" + String(repeating: " ", count: columns - 1) + "|",
      Duration.text(end),
    ])
    for row in table { text.add(row) }
    return text.text
  }
}
