// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Glibc
import Workpool

struct BatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "batch", abstract: "Deal items out to worker processes that stay.",
    usage: "wpool batch [<options>] -- <worker> <argument> ... < items.jsonl",
    discussion: """
      Each line of standard input is an item, as JSON. Workers are started once, get batches of items on \
      descriptor 3 and answer on descriptor 4 (in Python: workpool.worker_main); what they print goes to \
      standard error. Standard output gets a line for each item, in order. A worker that is lost is \
      replaced: the item that it was at is run again alone, up to --max-crashes times, the others of \
      its batch by somebody else. Items must bear being run twice.

      Exit codes: 0 all items done; 1 some failed; 2 the command line or an item is wrong, nothing ran; \
      3 the workers do not start; 130 and 143 after SIGINT and SIGTERM.

      wpool batch --workers 4 -- python3 worker.py < items.jsonl > results.jsonl
      """)

  @Option(
    help: ArgumentHelp(
      "Worker processes. [$WPOOL_WORKERS, or usable CPUs − 1, at least 1]", valueName: "n"))
  var workers: Count?

  @Option(help: ArgumentHelp("Items in a batch. [$WPOOL_BATCH_SIZE, or 50]", valueName: "n"))
  var batchSize: Count?

  @Option(help: ArgumentHelp("For an item. [60s]", valueName: "time"))
  var itemTimeout: Duration?

  @Option(help: ArgumentHelp("For a batch. [30m]", valueName: "time"))
  var batchTimeout: Duration?

  @Option(help: ArgumentHelp("Until a worker says that it is ready. [10s]", valueName: "time"))
  var startTimeout: Duration?

  @Option(
    help: ArgumentHelp(
      "Between two messages of a worker at work. [no limit]", valueName: "time"))
  var heartbeatTimeout: Duration?

  @Option(help: ArgumentHelp("Lost workers that an item is forgiven. [2]", valueName: "n"))
  var maxCrashes: WholeNumber?

  @Option(
    help: ArgumentHelp("Further attempts after failures called transient. [0]", valueName: "n"))
  var retries: WholeNumber?

  @Option(help: ArgumentHelp("Before a further attempt. [0]", valueName: "time"))
  var retryDelay: Duration?

  @Option(help: ArgumentHelp("Replace a worker after so many items. [never]", valueName: "n"))
  var maxItemsPerWorker: Count?

  @Option(
    help: ArgumentHelp(
      "Replace a worker that has more memory than this after an item. [never]", valueName: "size"))
  var maxWorkerMemory: Size?

  @Option(
    help: ArgumentHelp(
      "Folder for a log of each item's attempts, <item>.<attempt>.log. [none]", valueName: "folder"),
    completion: .directory)
  var itemLogs: String?

  @Flag(name: .long, help: "Items are lines of text; workers get them as JSON strings.")
  var lines = false

  @Flag(name: [.customShort("q"), .long], help: "Say nothing but errors.")
  var quiet = false

  @Argument(parsing: .postTerminator, help: "The worker's command and its arguments.")
  var worker: [String] = []

  func run() throws {
    let items = try BatchItems.read(asText: lines)
    var command = ChildCommand(worker)
    command.environment = JobEnvironment.inherited().map(\.setting)
    command.output = .descriptor(2)
    command.errors = .descriptor(2)
    let options = try options()
    let batch: BatchRun
    do throws(WorkpoolError) {
      batch = try BatchRun(command, options)
    } catch {
      throw Failure(exitCode: .usage, messages: [error.text])
    }
    var logs: ItemLogs?
    if let itemLogs {
      do throws(WorkpoolError) {
        logs = try ItemLogs(in: itemLogs)
      } catch {
        throw Failure(exitCode: .usage, messages: [error.text])
      }
    }
    throw BatchSession(items, isQuiet: quiet, logs: logs).run(batch)
  }

  private func options() throws(Failure) -> BatchOptions {
    var options = BatchOptions()
    options.workers = try Self.number(workers, "WPOOL_WORKERS") ?? options.workers
    options.batchSize = try Self.number(batchSize, "WPOOL_BATCH_SIZE") ?? options.batchSize
    options.itemTimeout = itemTimeout?.nanoseconds ?? options.itemTimeout
    options.batchTimeout = batchTimeout?.nanoseconds ?? options.batchTimeout
    options.startTimeout = startTimeout?.nanoseconds ?? options.startTimeout
    options.heartbeatTimeout = heartbeatTimeout?.nanoseconds ?? 0
    options.maxCrashes = maxCrashes?.number ?? options.maxCrashes
    options.retry.maxRetries = retries?.number ?? 0
    options.retry.delay = retryDelay?.nanoseconds ?? 0
    options.maxItemsPerWorker = maxItemsPerWorker?.number ?? 0
    options.maxWorkerMemory = Int64(clamping: maxWorkerMemory?.bytes ?? 0)
    return options
  }

  private static func number(_ given: Count?, _ name: String) throws(Failure) -> Int? {
    if let given { return given.number }
    guard let text = Surroundings.variable(name) else { return nil }
    guard let number = Int(text), (1...1_000_000).contains(number) else {
      throw .usage("\(name): '\(text)' is no number from 1 on")
    }
    return number
  }
}

/// The lines of standard input as JSON.
struct BatchItems {
  private let bytes: [UInt8]
  private let places: [Range<Int>]

  var count: Int { places.count }
  subscript(index: Int) -> ArraySlice<UInt8> { bytes[places[index]] }

  static func read(asText: Bool) throws(Failure) -> BatchItems {
    var bytes: [UInt8]
    do throws(WorkpoolError) {
      bytes = try WholeFile.readAny("/dev/stdin")
    } catch {
      throw Failure(exitCode: .usage, messages: [error.text])
    }
    var places: [Range<Int>] = []
    var texts: [UInt8] = []
    var line = 0
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 10) ?? bytes.count
      line += 1
      defer { start = end + 1 }
      let range = start..<end
      if asText {
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
          throw .usage("standard input: line \(line): not UTF-8")
        }
        let begin = texts.count
        JSONValue.quote(text, to: &texts)
        places.append(begin..<texts.count)
      } else if bytes[range].contains(where: { $0 > 32 }) {
        do throws(JSONParser.Fault) {
          _ = try JSONParser.parse(bytes, in: range)
        } catch {
          throw .usage(
            "standard input: line \(line), byte \(error.offset - start + 1): \(error.message)")
        }
        places.append(range)
      }
      guard places.last.map({ $0.count <= BatchRun.mostItemBytes }) ?? true else {
        throw .usage("standard input: line \(line): an item has at most 15 MiB")
      }
    }
    if asText { bytes = texts }
    return BatchItems(bytes: bytes, places: places)
  }
}

/// Writes results in the order of the items, as they come.
private final class BatchSession {
  private let items: BatchItems
  private let isQuiet: Bool
  private var done: [BatchResult?]
  private var next = 0
  private var sums: [JobState: Int] = [:]
  private var output = ExitCode.success
  private var caught: Int32?
  /// By worker; each leads a group.
  private var processes: [Int: Int32] = [:]

  private var logs: ItemLogs?

  init(_ items: BatchItems, isQuiet: Bool, logs: ItemLogs?) {
    self.items = items
    self.logs = logs
    self.isQuiet = isQuiet
    done = Array(repeating: nil, count: items.count)
  }

  func run(_ batch: BatchRun) -> ExitCode {
    let start = wpl_now()
    let signals = wpl_signals_watch()
    let items = items
    let (_, failure) = batch.run(
      items.count, json: { items[$0] },
      watching: (signals, { self.takeSignals(signals, batch) }),
      tell: { self.take($0, batch) })
    if !failure.isEmpty { Console.say(failure) }
    if !isQuiet {
      let seconds = Double(wpl_now() - start) / 1e9
      _ = Console.put(
        "ok \(sums[.completed] ?? 0), skipped \(sums[.skipped] ?? 0), failed \(sums[.failed] ?? 0), "
          + "cancelled \(sums[.cancelled] ?? 0) in \(Figures.fixed(seconds, 1))s\n", to: 2)
    }
    if let caught { return .signal(caught) }
    if output != .success { return output }
    let failed = (sums[.failed] ?? 0) + (sums[.cancelled] ?? 0)
    let isStart = done.contains { $0?.reason == .crashed }
    return failed == 0 ? .success : isStart ? .program : .run
  }

  private func takeSignals(_ descriptor: Int32, _ batch: BatchRun) {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return }
    for number in bytes[..<count].map(Int32.init) {
      if number == wpl_sigtstp {
        Suspension.stop(Array(processes.values)) { wpl_signals_suspend(0) }
      } else if caught == nil && number != wpl_sigquit {
        Console.say("\(SignalName.text(number)): workers are asked to end; once more kills them")
        batch.cancel()
        caught = number
      } else {
        batch.cancel(kills: true)
        caught = caught ?? number
      }
    }
  }

  private func take(_ event: BatchRun.Event, _ batch: BatchRun) {
    do throws(WorkpoolError) {
      try logs?.take(event)
    } catch {
      Console.say(error.text)
      logs = nil
      output = .program
      batch.cancel()
    }
    switch event {
    case .itemFinished(let item, let result):
      done[item] = result
      sums[result.state, default: 0] += 1
      while next < done.count, let result = done[next] {
        if output == .success { output = Console.write(line(next, result)) }
        next += 1
        // Nobody reads: what is left is for nothing.
        if output != .success { batch.cancel() }
      }
    case .workerCrashed(let worker, let process, let item, let death):
      processes[worker] = nil
      if !isQuiet && caught == nil {
        Console.note(
          "worker \(worker) (process \(process)) is lost: \(death.text)"
            + (item >= 0 ? ", at item \(item)" : ""))
      }
    case .workerStarted(let worker, let process, _): processes[worker] = process
    case .workerReady, .batchStarted, .batchFinished, .itemSaid: break
    }
  }

  private func line(_ item: Int, _ result: BatchResult) -> String {
    var text =
      "{\"item\":\(item),\"state\":\"\(result.state.name)\",\"reason\":\"\(result.reason.name)\""
    text += ",\"attempts\":\(result.attempts),\"crashes\":\(result.crashes)"
    func put(_ key: String, _ value: String) {
      guard !value.isEmpty else { return }
      text += ",\"\(key)\":" + JSONValue.text(value).line
    }
    put("phase", result.phase)
    put("error", result.error)
    if result.isFromCache { text += ",\"from_cache\":true" }
    if !result.data.isEmpty { text += ",\"data\":" + String(decoding: result.data, as: UTF8.self) }
    return text + "}\n"
  }
}
