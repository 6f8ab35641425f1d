// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Tell what a run took: times, slowest jobs, memory.",
    usage: """
      wpool report [<run>]
      wpool report --merge <pattern> [--trace <file>]
      """)

  @Argument(
    help: ArgumentHelp("Id or folder of a run. [the last one]", valueName: "run"),
    completion: KnownNames.runs)
  var name: String?

  @Option(
    help: ArgumentHelp(
      "Of several runs at once, such as shards: their journals.", valueName: "pattern"))
  var merge: String?

  @Option(
    help: ArgumentHelp(
      "With --merge: write what ran when, each run as a process, for https://ui.perfetto.dev.",
      valueName: "file"), completion: .file())
  var trace: String?

  @OptionGroup var runs: LogFolderOption

  func run() throws {
    guard let merge else {
      if trace != nil {
        throw Failure.usage("--trace is for --merge; wpool timeline --trace for one run")
      }
      throw Console.write(RunFigures([try runs.history(name)]).text)
    }
    if name != nil { throw Failure.usage("--merge takes the place of a run") }
    let histories = try Self.histories(merge)
    if let trace {
      do throws(WorkpoolError) {
        try RunFolder.replace(trace, with: Array(Self.trace(histories).utf8))
      } catch {
        throw Failure(exitCode: .run, messages: [error.text])
      }
    }
    throw Console.write(RunFigures(histories).text)
  }

  /// Shards by their numbers, others by their beginning.
  private static func histories(_ pattern: String) throws(Failure) -> [RunHistory] {
    var found: [RunHistory] = []
    for path in Paths.matching(pattern, base: Paths.currentFolder) {
      let suffix = "/run.jsonl"
      let folder = path.hasSuffix(suffix) ? String(path.dropLast(suffix.count)) : path
      found.append(try RunHistory(of: folder))
    }
    guard !found.isEmpty else { throw .usage("--merge \(pattern): there is no record") }
    func part(_ history: RunHistory) -> Int {
      guard let text = history.header["shard"]?.text,
        case .part(let part, _)? = ShardChoice(argument: text)
      else { return .max }
      return part
    }
    return found.sorted { (part($0), $0.startTime) < (part($1), $1.startTime) }
  }

  /// The traces of all, by one clock, each with a process number of its own.
  private static func trace(_ histories: [RunHistory]) -> String {
    let origin = histories.map { $0.startTime }.min() ?? 0
    var events: [JSONValue] = []
    for (index, history) in histories.enumerated() {
      let text = RunTimeline(history).trace
      let root = try? JSONParser.parse(Array(text.utf8))
      let shift = Int((history.startTime - origin) / 1000)
      events.append(
        .object([
          .init("ph", .text("M")), .init("name", .text("process_name")), .init("pid", .int(index)),
          .init("args", .object([.init("name", .text(RunFigures.name(history)))])),
        ]))
      for case .object(let members) in root?["traceEvents"]?.list ?? [] {
        if members.contains(where: { $0.key == "name" && $0.value == .text("process_name") }) {
          continue
        }
        events.append(
          .object(
            members.map { member in
              switch member.key {
              case "pid": return .init("pid", .int(index))
              case "ts": return .init("ts", .int((member.value.int ?? 0) + shift))
              // Arrows of different runs are different ones.
              case "id": return .init("id", .text("\(index).\(member.value.int ?? 0)"))
              default: return member
              }
            }))
      }
    }
    return JSONValue.object([.init("traceEvents", .list(events))]).line + "\n"
  }
}

/// Figures of one run, or of several together.
struct RunFigures {
  private let histories: [RunHistory]

  init(_ histories: [RunHistory]) { self.histories = histories }

  static func name(_ history: RunHistory) -> String {
    history.header["shard"]?.text.map { "shard \($0)" } ?? "run \(history.id)"
  }

  /// What was filtered out of a shard is another one's.
  private var jobs: [RunHistory.Job] {
    histories.count == 1
      ? histories[0].jobs : histories.flatMap { $0.jobs }.filter { $0.reason != "filtered" }
  }

  var text: String {
    let jobs = jobs
    var text = ""
    for history in histories {
      text += "\(Self.name(history)): \(history.condition), \(history.countsText)\n"
    }
    let attempts = jobs.flatMap { $0.attempts }
    let ended = attempts.filter { $0.end != nil }
    let lengths = ended.map { ($0.end ?? 0) - $0.start }.sorted()
    let execution = lengths.reduce(0, +)
    let started = jobs.filter { !$0.attempts.isEmpty }
    let waits = started.compactMap { job in job.ready.map { job.attempts[0].start - $0 } }
    let begin = histories.map { $0.startTime }.min() ?? 0
    let wall = max(1, histories.map { $0.startTime - begin + $0.lastTime }.max() ?? 1)
    func count(_ state: String) -> Int { jobs.count { $0.state == state } }
    let good = count("COMPLETED")
    let tried = good + count("FAILED") + count("TIMEOUT")
    text += "wall time: \(Duration.text(wall))\n"
    text += "parallelism factor: \(Figures.fixed(Double(execution) / Double(wall), 2))\n"
    text += "average wait: \(Self.average(waits))\n"
    text += "average execution: \(Self.average(lengths))\n"
    text += "success rate: \(Figures.fixed(tried > 0 ? Double(good) / Double(tried) : 1, 3))\n"
    text += "retries: \(attempts.count - started.count)\n"
    text += "CPU time: \(Duration.text(ended.reduce(0) { $0 + $1.cpu }))\n"
    if !lengths.isEmpty {
      text += "p50: \(Duration.text(lengths[lengths.count / 2])), "
      text += "p95: \(Duration.text(lengths[min(lengths.count - 1, lengths.count * 95 / 100)]))\n"
    }
    if histories.count == 1 {
      let path = RunTimeline(histories[0]).criticalPath
      text += "critical path: " + path.joined(separator: " → ") + "\n"
    }
    return text + slowest(jobs) + aboveDeclaration(jobs)
  }

  private static func average(_ times: [Int64]) -> String {
    times.isEmpty ? "-" : Duration.text(times.reduce(0, +) / Int64(times.count))
  }

  private func slowest(_ jobs: [RunHistory.Job]) -> String {
    let last = histories.map { $0.lastTime }.max() ?? 0
    func length(_ attempt: RunHistory.Attempt) -> Int64 { (attempt.end ?? last) - attempt.start }
    var table = TextTable(["job", "attempt", "time", "peak memory", "CPU time"])
    let all = jobs.flatMap { job in job.attempts.map { (job.id, $0) } }
    for (id, attempt) in all.sorted(by: { length($0.1) > length($1.1) }).prefix(10) {
      table.add([
        id, String(attempt.number), Duration.text(length(attempt)),
        attempt.peakMemory > 0 ? Figures.bytes(UInt64(attempt.peakMemory)) : "-",
        Duration.text(attempt.cpu),
      ])
    }
    return "\nslowest\n" + table.text
  }

  private func aboveDeclaration(_ jobs: [RunHistory.Job]) -> String {
    var table = TextTable(["job", "declared", "peak"])
    var isEmpty = true
    for job in jobs where job.memory > 0 {
      let peak = job.attempts.map { $0.peakMemory }.max() ?? 0
      guard peak > job.memory else { continue }
      isEmpty = false
      table.add([job.id, Figures.bytes(UInt64(job.memory)), Figures.bytes(UInt64(peak))])
    }
    return isEmpty ? "" : "\nmore memory than declared\n" + table.text
  }
}
