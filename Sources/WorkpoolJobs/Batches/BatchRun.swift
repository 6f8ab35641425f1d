// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// Runs items through worker processes, on the thread that calls: it sleeps until a worker says or
/// needs something. Nothing of the workers is left when it returns.
public final class BatchRun: @unchecked Sendable {
  public enum Event: Sendable {
    case workerStarted(worker: Int, process: Int32, isRespawned: Bool)
    case batchStarted(Int, items: Int, process: Int32)
    case batchFinished(Int, process: Int32)
    case workerReady(worker: Int, process: Int32)
    /// `item` is what it was at; -1: nothing.
    case workerCrashed(worker: Int, process: Int32, item: Int, WorkerDeath)
    case itemFinished(Int, BatchResult)
    /// What the worker that has the item says, in this attempt of it.
    case itemSaid(Int, attempt: Int32, process: Int32, Line)
  }

  /// A line for an item's log.
  public struct Line: Sendable {
    public var level: JobLogLevel
    public var phase: String
    public var text: String
    public var data: JSONValue?

    init(_ level: JobLogLevel, _ phase: String, _ text: String) {
      self.level = level
      self.phase = phase
      self.text = text
    }
  }

  private static let look: Int64 = 100_000_000

  private let command: ChildCommand
  private let options: BatchOptions
  private let token: Token?
  /// 1: asked to end; 2: at once.
  private let cancels = Atomic<Int>(0)
  /// What another thread calls by.
  private let call: Int32

  /// - Parameters:
  ///   - command: what each worker is; its channel is set here.
  ///   - token: ends the run as `cancel` does.
  /// - Throws: `invalidArgument`, `ioFailed`
  public init(
    _ command: ChildCommand, _ options: BatchOptions = BatchOptions(), token: Token? = nil
  ) throws(WorkpoolError) {
    guard let program = command.arguments.first, !program.isEmpty else {
      throw WorkpoolError(.invalidArgument, "a batch needs the command of its workers")
    }
    guard options.batchSize > 0, options.workers >= 0, options.workers <= 1024 else {
      throw WorkpoolError(
        .invalidArgument, "a batch has at least one item, and at most 1024 workers")
    }
    guard
      options.maxCrashes >= 0, options.maxStartFailures > 0, options.maxItemsPerWorker >= 0,
      options.maxWorkerMemory >= 0, options.retry.maxRetries >= 0, options.stopGrace >= 0,
      options.startTimeout >= 0, options.itemTimeout >= 0, options.batchTimeout >= 0,
      options.heartbeatTimeout >= 0
    else { throw WorkpoolError(.invalidArgument, "a limit of a batch is negative") }
    self.command = command
    self.options = options
    self.token = token
    call = wpl_call_create()
    guard call >= 0 else {
      throw WorkpoolError(.ioFailed, "no descriptor for a batch", systemError: -call)
    }
    token?.observe(Unmanaged.passUnretained(self).toOpaque()) { context in
      Unmanaged<BatchRun>.fromOpaque(context).takeUnretainedValue().cancel()
    }
  }

  deinit {
    token?.forget(Unmanaged.passUnretained(self).toOpaque())
    _ = wpl_file_close(call)
  }

  /// Ends a run that is under way, or the next one: what has no result yet is cancelled, and the workers get a
  /// stop order. Any thread.
  ///
  /// - Parameter kills: SIGKILL instead, whatever they are at.
  public func cancel(kills: Bool = false) {
    _ = cancels.max(kills ? 2 : 1, ordering: .sequentiallyConsistent)
    wpl_call(call)
  }

  /// A cancel that came too late for the run that it was meant for.
  func forgetCancel() { cancels.store(0, ordering: .sequentiallyConsistent) }

  /// Bytes that an item may have.
  public static let mostItemBytes = 15 << 20

  /// Runs all items; one thread at a time.
  ///
  /// - Parameters:
  ///   - items: how many there are.
  ///   - json: the JSON text of one, as sent to a worker.
  ///   - watching: a descriptor, and what to do when it is readable.
  ///   - tell: what happens, as it does.
  /// - Returns: a result for each item, in order, and why the run could not go on; empty: it could.
  public func run(
    _ items: Int, json: @escaping (Int) -> ArraySlice<UInt8>,
    watching: (descriptor: Int32, isReady: () -> Void)? = nil,
    tell: @escaping (Event) -> Void
  ) -> (results: [BatchResult], failure: String) {
    let workers = options.workerCount(for: items, usableCPUs: Int(wpl_usable_cpus()))
    var session = Session(
      scheduler: BatchScheduler(items: items, workers: workers, options) { json($0).count },
      command: command,
      json: json, tell: tell)
    for _ in 0..<workers { session.workers.append(nil) }
    session.scheduler.begin(at: Clock.now)
    session.perform()
    var cancelsDone = 0
    while !session.scheduler.isOver {
      // A token that a signal handler marks, or that was cancelled before, tells nobody.
      let look = token.map { _ in Clock.now + Self.look }
      if session.wait(call, watching?.descriptor ?? -1, until: look) { watching?.isReady() }
      wpl_call_take(call)
      let wanted = max(
        cancels.load(ordering: .sequentiallyConsistent), token?.isCancelled == true ? 1 : 0)
      if cancelsDone == 0 && wanted > 0 { session.scheduler.cancel(.user, at: Clock.now) }
      session.perform()
      if cancelsDone < 2 && wanted == 2 { session.killAll() }
      cancelsDone = wanted
    }
    cancels.store(0, ordering: .sequentiallyConsistent)
    return (session.scheduler.results, session.scheduler.failure)
  }
}

/// One run: the scheduler, and the processes and pipes that do what it says.
private struct Session {
  var scheduler: BatchScheduler
  let command: ChildCommand
  let json: (Int) -> ArraySlice<UInt8>
  let tell: (BatchRun.Event) -> Void
  var workers: [BatchWorker?] = []
  /// The last one of each worker.
  var processes: [Int: Int32] = [:]

  // MARK: Actions

  mutating func perform() {
    while true {
      let actions = scheduler.takeActions()
      if actions.isEmpty { return }
      for action in actions { perform(action) }
    }
  }

  private mutating func perform(_ action: BatchScheduler.Action) {
    switch action {
    case .start(let worker): start(worker)
    case .send(let worker, let batch, let items):
      var list: [(index: Int, attempt: Int32)] = []
      for item in items { list.append((item, scheduler.results[item].attempts)) }
      workers[worker]?.send(WorkerMessages.batch(batch, list, json: json))
      tell(
        .batchStarted(batch, items: items.count, process: workers[worker]?.child.id ?? 0))
    case .finish(let worker): workers[worker]?.send(WorkerMessages.shutdown)
    case .stop(let worker): _ = workers[worker]?.child.stop(now: Clock.now)
    case .kill(let worker): _ = workers[worker]?.child.kill(now: Clock.now)
    case .batchEnded(let worker, let batch):
      tell(.batchFinished(batch, process: processes[worker] ?? 0))
    case .result(let item): tell(.itemFinished(item, scheduler.results[item]))
    case .crashed(let worker, let item, let death):
      tell(
        .workerCrashed(
          worker: worker, process: processes[worker] ?? 0, item: item, death))
    }
  }

  private mutating func start(_ worker: Int) {
    var command = command
    command.leftovers = .kill
    command.environment?.append("WPOOL_WORKER=\(worker)")
    do throws(WorkpoolError) {
      let started = try BatchWorker(command)
      workers[worker] = started
      scheduler.started(worker, process: started.child.id)
      tell(
        .workerStarted(
          worker: worker, process: started.child.id, isRespawned: processes[worker] != nil))
      processes[worker] = started.child.id
    } catch {
      scheduler.failedToStart(worker, error.text, at: Clock.now)
    }
  }

  func killAll() {
    for worker in workers { _ = worker?.child.kill(now: Clock.now) }
  }

  // MARK: Events

  /// Waits until something happens, and acts upon it.
  /// - Returns: whether the second descriptor is ready.
  mutating func wait(_ call: Int32, _ other: Int32, until look: Int64?) -> Bool {
    var due = min(scheduler.nextDue ?? .max, look ?? .max)
    var interests = [call, other].map {
      wpl_interest(descriptor: $0, writes: 0, is_ready: 0, can_write: 0)
    }
    for worker in workers {
      due = min(due, worker?.child.due ?? .max)
      let ends = [worker?.child.descriptor, worker?.reading, worker?.writing]
      for (index, end) in ends.enumerated() {
        let isWanted = index < 2 || worker?.hasUnsent == true
        interests.append(
          wpl_interest(
            descriptor: isWanted ? end ?? -1 : -1, writes: index == 2 ? 1 : 0, is_ready: 0,
            can_write: 0))
      }
    }
    wpl_wait(&interests, Int32(interests.count), due == .max ? -1 : due)
    for index in 0..<workers.count {
      guard let worker = workers[index] else { continue }
      let first = 2 + 3 * index
      if interests[first + 2].can_write != 0 { worker.write() }
      if interests[first + 1].is_ready != 0 { read(index, worker) }
      let isDue = (worker.child.due ?? .max) <= Clock.now
      guard interests[first].is_ready != 0 || isDue else { continue }
      if let end = worker.child.advance(now: Clock.now) { ended(index, worker, end) }
    }
    scheduler.tick(at: Clock.now)
    perform()
    return interests[1].is_ready != 0
  }

  private mutating func read(_ index: Int, _ worker: BatchWorker) {
    let reading = worker.read()
    while let frame = worker.next() {
      switch frame {
      case .broken: scheduler.broke(index, at: Clock.now)
      case .message(let message): take(message, index, worker)
      }
    }
    if reading == .end { scheduler.closed(index, at: Clock.now) }
  }

  private mutating func take(
    _ message: WorkerMessages.Message, _ index: Int, _ worker: BatchWorker
  ) {
    let now = Clock.now
    scheduler.heard(index, at: now)
    switch message {
    case .ready:
      tell(.workerReady(worker: index, process: worker.child.id))
      scheduler.ready(index, at: now)
    case .heartbeat: break
    case .complete(let batch): scheduler.completed(index, batch: batch, at: now)
    case .error(let text, let errorClass): scheduler.gaveUp(index, text, errorClass, at: now)
    case .log(let item, let line): say(line, item, index, worker)
    case .progress(let report):
      say(report.line, report.item, index, worker)
      scheduler.report(index, report, at: now)
      let most = scheduler.options.maxWorkerMemory
      if most > 0 && report.status != .started && wpl_process_memory(worker.child.id) > most {
        scheduler.replace(index, at: now)
      }
    }
    perform()
  }

  private func say(_ line: BatchRun.Line, _ item: Int, _ index: Int, _ worker: BatchWorker) {
    guard scheduler.has(index, item) else { return }
    tell(
      .itemSaid(
        item, attempt: scheduler.results[item].attempts, process: worker.child.id, line))
  }

  private mutating func ended(_ index: Int, _ worker: BatchWorker, _ end: ChildEnd) {
    // What it said at the end counts.
    while worker.read() == .more {
      while let frame = worker.next() {
        if case .message(let message) = frame { take(message, index, worker) }
      }
    }
    workers[index] = nil
    let death: WorkerDeath =
      if let signal = end.signal { .signal(signal) } else { .exit(end.exitCode ?? -1) }
    scheduler.ended(index, death, at: Clock.now)
    perform()
  }
}
