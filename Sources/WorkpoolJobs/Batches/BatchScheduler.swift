// SPDX-License-Identifier: MIT

/// Who of some worker processes gets which items, and what becomes of them: a value. Events and the time
/// go in, actions come out; it has no clock, no process and no pipe.
///
/// ```
/// absent ─start─► starting ─ready─► idle ⇄ busy        idle ─finish─► leaving ─► absent
///    ▲               │ late            │ lost by a limit                 │ late: kill
///    └── ended ◄─────┴──── dying ◄─────┴───────────────────────────────-─┘
/// ```
///
/// Items wait in one queue. What comes back from a lost worker goes to its front: the item that the
/// worker was at, alone, then the others. Every item gets exactly one result: each loss either brings its
/// crash count up, which is bounded, or happened before an item was begun, and then the first of the
/// batch counts as begun; start-up failures in a row are bounded too.
struct BatchScheduler {
  enum Action: Equatable {
    case start(worker: Int)
    case send(worker: Int, batch: Int, items: [Int])
    /// The message `shutdown`.
    case finish(worker: Int)
    /// A stop order to the worker's group.
    case stop(worker: Int)
    /// SIGKILL to the worker's group.
    case kill(worker: Int)
    case result(item: Int)
    /// The worker died, and this item was what it had begun; -1: none.
    case crashed(worker: Int, item: Int, WorkerDeath)
    /// All its items have been told of.
    case batchEnded(worker: Int, batch: Int)
  }

  /// What a worker says of an item.
  struct Report {
    enum Status { case started, ok, failed, skipped }
    var item: Int
    var status: Status
    var phase = ""
    var data: [UInt8] = []
    var error = ""
    var errorClass = BatchErrorClass.item
    var isFromCache = false
  }

  private enum Phase: Equatable {
    case absent, starting, idle, busy
    /// Was told to go.
    case leaving
    /// Gets, or got, a signal; its items are somebody else's.
    case dying
  }

  private struct Worker {
    var phase = Phase.absent
    /// When the phase must be over at the latest; of a busy one see `due`.
    var limit: Int64?
    var batch = 0
    /// Of its batch, without a result, in order.
    var items: [Int] = []
    /// What it has said to have begun.
    var begun: Int?
    var batchLimit: Int64?
    var itemLimit: Int64?
    var heardLimit: Int64?
    var itemsDone = 0
    var isReplacedNext = false
    var hasStarted = false
    var process: Int32 = 0
  }

  /// From the end of a worker's pipe to its own.
  private static let endTime: Int64 = 200_000_000

  let options: BatchOptions
  private(set) var results: [BatchResult]
  private var workers: [Worker]
  /// Items that nobody has had yet begin here.
  private var nextItem = 0
  /// What came back; the last one is the front of the queue.
  private var returned: [[Int]] = []
  private var waiting: [(time: Int64, item: Int)] = []
  private var deaths: [Int: [WorkerDeath]] = [:]
  private var batchCount = 0
  private var startFailures = 0
  private(set) var openItems: Int
  /// Nothing is given out any more, for this reason.
  private(set) var endReason = JobReason.none
  /// Why the run could not go on; empty: it could.
  private(set) var failure = ""
  private var actions: [Action] = []

  /// Bytes of an item, and how many a batch of several may have.
  private let size: (Int) -> Int
  private static let mostBytes = 8 << 20

  init(
    items: Int, workers count: Int, _ options: BatchOptions,
    size: @escaping (Int) -> Int = { _ in 0 }
  ) {
    self.options = options
    self.size = size
    results = Array(repeating: BatchResult(), count: items)
    workers = Array(repeating: Worker(), count: count)
    openItems = items
  }

  /// All items have a result and all workers are gone.
  var isOver: Bool {
    guard openItems == 0 else { return false }
    for worker in workers where worker.phase != .absent { return false }
    return true
  }

  mutating func takeActions() -> [Action] {
    let all = actions
    actions = []
    return all
  }

  // MARK: Events

  mutating func begin(at now: Int64) { dispatch(now) }

  mutating func started(_ worker: Int, process: Int32) { workers[worker].process = process }

  /// The process could not be started at all.
  mutating func failedToStart(_ worker: Int, _ text: String, at now: Int64) {
    workers[worker] = Worker()
    noteStartFailure(text, now)
    dispatch(now)
  }

  mutating func ready(_ worker: Int, at now: Int64) {
    guard workers[worker].phase == .starting else { return }
    startFailures = 0
    workers[worker].phase = .idle
    workers[worker].limit = nil
    workers[worker].hasStarted = true
    dispatch(now)
  }

  /// Whether the worker has this item, and no result of it is known.
  func has(_ worker: Int, _ item: Int) -> Bool {
    workers[worker].phase == .busy && workers[worker].items.contains(item)
  }

  /// Any message, also those that say nothing else.
  mutating func heard(_ worker: Int, at now: Int64) {
    guard workers[worker].phase == .busy, options.heartbeatTimeout > 0 else { return }
    workers[worker].heardLimit = Self.later(now, options.heartbeatTimeout)
  }

  mutating func report(_ worker: Int, _ report: Report, at now: Int64) {
    // A duplicate, or what was taken from it.
    guard workers[worker].phase == .busy,
      let place = workers[worker].items.firstIndex(of: report.item)
    else { return }
    if !report.phase.isEmpty { results[report.item].phase = report.phase }
    if report.status == .started {
      if workers[worker].begun != report.item { results[report.item].start = now }
      workers[worker].begun = report.item
      workers[worker].itemLimit = limit(options.itemTimeout, now)
      return
    }
    workers[worker].items.remove(at: place)
    let isLast = workers[worker].items.isEmpty
    workers[worker].begun = nil
    workers[worker].itemLimit = limit(options.itemTimeout, now)
    workers[worker].itemsDone += 1
    results[report.item].data = report.data
    results[report.item].isFromCache = report.isFromCache
    results[report.item].error = report.error
    results[report.item].end = now
    switch report.status {
    case .ok: end(report.item, .completed, .none)
    case .skipped: end(report.item, .skipped, .upToDate)
    case .started, .failed: itemFailed(worker, report, now)
    }
    if isLast { actions.append(.batchEnded(worker: worker, batch: workers[worker].batch)) }
    dispatch(now)
  }

  mutating func completed(_ worker: Int, batch: Int, at now: Int64) {
    guard workers[worker].phase == .busy, workers[worker].batch == batch else { return }
    let silent = workers[worker].items
    workers[worker].items = []
    workers[worker].begun = nil
    workers[worker].phase = .idle
    workers[worker].batchLimit = nil
    workers[worker].itemLimit = nil
    workers[worker].heardLimit = nil
    if !silent.isEmpty { actions.append(.batchEnded(worker: worker, batch: batch)) }
    for item in silent.reversed() { crashed(item, .silence, now) }
    let most = options.maxItemsPerWorker
    if most > 0 && workers[worker].itemsDone >= most { workers[worker].isReplacedNext = true }
    dispatch(now)
  }

  /// The worker is to be replaced before it begins another item; its batch is somebody else's.
  mutating func replace(_ worker: Int, at now: Int64) {
    guard workers[worker].phase == .busy || workers[worker].phase == .idle else { return }
    returnItems(of: worker, blamed: nil)
    workers[worker].phase = .dying
    workers[worker].limit = nil
    actions.append(.kill(worker: worker))
    dispatch(now)
  }

  /// It cannot go on, and says why.
  mutating func gaveUp(_ worker: Int, _ text: String, _ errorClass: BatchErrorClass, at now: Int64)
  {
    guard workers[worker].phase == .busy || workers[worker].phase == .idle else { return }
    if errorClass == .fatal { endRun(.stop, text, now) }
    lose(worker, .gaveUp, now, text)
    dispatch(now)
  }

  /// Its pipe is closed. If it is about to end, how it ends tells more.
  mutating func closed(_ worker: Int, at now: Int64) {
    guard workers[worker].phase != .absent, workers[worker].phase != .dying else { return }
    let limit = Self.later(now, Self.endTime)
    workers[worker].limit = min(workers[worker].limit ?? .max, limit)
  }

  /// What came through its pipe is no message.
  mutating func broke(_ worker: Int, at now: Int64) {
    guard workers[worker].phase != .absent, workers[worker].phase != .dying else { return }
    workers[worker].limit = now
    tick(at: now)
  }

  /// The process has gone, with its group.
  mutating func ended(_ worker: Int, _ death: WorkerDeath, at now: Int64) {
    let phase = workers[worker].phase
    if phase == .busy { lose(worker, death, now) }
    let wasStarting = phase == .starting || phase == .dying && !workers[worker].hasStarted
    workers[worker] = Worker()
    if wasStarting && endReason == .none {
      noteStartFailure("it ended before it was ready: \(death.text)", now)
    }
    dispatch(now)
  }

  /// Nothing is given out any more and what is left is cancelled: at once, or after the batches at work.
  mutating func cancel(_ reason: JobReason, at now: Int64) {
    endRun(reason, "", now)
    dispatch(now)
  }

  mutating func tick(at now: Int64) {
    for worker in 0..<workers.count {
      let it = workers[worker]
      if let limit = it.limit, limit <= now {
        workers[worker].limit = nil
        switch it.phase {
        case .leaving: stop(worker)
        case .starting:
          workers[worker].phase = .dying
          actions.append(.kill(worker: worker))
        case .idle, .busy: lose(worker, .protocolError, now)
        case .absent, .dying: break
        }
        continue
      }
      guard it.phase == .busy else { continue }
      if let time = it.itemLimit, time <= now {
        lose(worker, .itemTimeout, now)
      } else if let time = it.batchLimit, time <= now {
        lose(worker, .batchTimeout, now)
      } else if let time = it.heardLimit, time <= now {
        lose(worker, .heartbeatTimeout, now)
      }
    }
    dispatch(now)
  }

  /// When `tick` must be called at the latest.
  var nextDue: Int64? {
    var due = Int64.max
    for worker in workers {
      due = min(due, worker.limit ?? .max)
      guard worker.phase == .busy else { continue }
      due = min(due, worker.itemLimit ?? .max, worker.batchLimit ?? .max)
      due = min(due, worker.heardLimit ?? .max)
    }
    for item in waiting { due = min(due, item.time) }
    return due == .max ? nil : due
  }

  // MARK: Items

  private mutating func end(
    _ item: Int, _ state: JobState, _ reason: JobReason, _ detail: Int32 = 0
  ) {
    guard !results[item].state.isTerminal else { return }
    results[item].state = state
    results[item].reason = reason
    results[item].detail = detail
    openItems -= 1
    actions.append(.result(item: item))
  }

  private mutating func itemFailed(_ worker: Int, _ report: Report, _ now: Int64) {
    let item = report.item
    switch report.errorClass {
    case .transient:
      let attempt = Int(results[item].attempts)
      guard attempt - Int(results[item].crashes) <= options.retry.maxRetries, endReason == .none
      else {
        return end(item, .failed, .error)
      }
      let delay = options.retry.delay(before: attempt + 1, chance: Self.chance(item, attempt))
      waiting.append((Self.later(now, delay), item))
    case .item: end(item, .failed, .error)
    case .worker:
      returnItems(of: worker, blamed: nil)
      actions.append(.crashed(worker: worker, item: item, .gaveUp))
      crashed(item, .gaveUp, now)
      workers[worker].phase = .dying
      workers[worker].limit = nil
      actions.append(.kill(worker: worker))
    case .fatal:
      end(item, .failed, .error)
      endRun(.stop, report.error, now)
    }
  }

  /// The item has lost a worker, or been lost by one.
  private mutating func crashed(_ item: Int, _ death: WorkerDeath, _ now: Int64) {
    results[item].crashes += 1
    results[item].end = now
    deaths[item, default: []].append(death)
    let all = deaths[item] ?? []
    guard Int(results[item].crashes) > options.maxCrashes else {
      if endReason == .none { returned.append([item]) } else { end(item, .cancelled, endReason) }
      return
    }
    var text = "\(all.count) workers lost: "
    for (index, death) in all.enumerated() { text += (index > 0 ? ", " : "") + death.text }
    if !results[item].error.isEmpty { text += "; " + results[item].error }
    results[item].error = text
    end(item, .failed, .poison, death.detail)
  }

  /// What the worker has in hand goes to the front of the queue, but for `blamed`.
  private mutating func returnItems(of worker: Int, blamed: Int?) {
    var rest: [Int] = []
    for item in workers[worker].items where item != blamed { rest.append(item) }
    workers[worker].items = []
    workers[worker].begun = nil
    for item in rest { results[item].attempts -= 1 }
    if endReason != .none {
      for item in rest { end(item, .cancelled, endReason) }
    } else if !rest.isEmpty {
      returned.append(rest)
    }
  }

  private mutating func endRun(_ reason: JobReason, _ text: String, _ now: Int64) {
    guard endReason == .none else { return }
    endReason = reason
    if !text.isEmpty { failure = text }
    for chunk in returned { for item in chunk { end(item, endState, endReason) } }
    returned = []
    for (_, item) in waiting { end(item, endState, endReason) }
    waiting = []
    while nextItem < results.count {
      end(nextItem, endState, endReason)
      nextItem += 1
    }
    // What workers have in hand: theirs no more.
    for worker in 0..<workers.count where !workers[worker].items.isEmpty {
      for item in workers[worker].items { end(item, endState, endReason) }
      workers[worker].items = []
    }
  }

  private var endState: JobState { endReason == .crashed ? .failed : .cancelled }

  // MARK: Workers

  private mutating func lose(
    _ worker: Int, _ death: WorkerDeath, _ now: Int64, _ text: String = ""
  ) {
    let blamed = workers[worker].begun ?? workers[worker].items.first
    returnItems(of: worker, blamed: blamed)
    actions.append(.crashed(worker: worker, item: blamed ?? -1, death))
    if let blamed {
      if !text.isEmpty { results[blamed].error = text }
      crashed(blamed, death, now)
    }
    workers[worker].phase = .dying
    workers[worker].limit = nil
    actions.append(.kill(worker: worker))
  }

  private mutating func noteStartFailure(_ text: String, _ now: Int64) {
    startFailures += 1
    guard startFailures >= options.maxStartFailures else { return }
    endRun(.crashed, "\(startFailures) workers in a row did not start: \(text)", now)
    for item in 0..<results.count where results[item].reason == .crashed {
      if results[item].error.isEmpty { results[item].error = failure }
    }
  }

  /// Gives out what there is to idle workers, starts others, and lets those go that are not needed.
  private mutating func dispatch(_ now: Int64) {
    var due: [Int] = []
    waiting.removeAll {
      guard $0.time <= now else { return false }
      due.append($0.item)
      return true
    }
    due.sort()
    if !due.isEmpty { returned.append(due) }
    for worker in 0..<workers.count where workers[worker].phase == .idle {
      if workers[worker].isReplacedNext || openItems == 0 {
        leave(worker, now)
      } else if let items = nextBatch(for: worker) {
        give(items, to: worker, now)
      }
    }
    // One for each batch that nobody will take soon.
    var wanted = batchesQueued
    for worker in workers where worker.phase == .starting { wanted -= 1 }
    for worker in 0..<workers.count where wanted > 0 && workers[worker].phase == .absent {
      workers[worker] = Worker()
      workers[worker].phase = .starting
      workers[worker].limit = limit(options.startTimeout, now)
      actions.append(.start(worker: worker))
      wanted -= 1
    }
    guard openItems == 0 else { return }
    for worker in 0..<workers.count {
      switch workers[worker].phase {
      case .starting, .busy:
        // It has given all results and does not say so, or what it is at is not wanted any more.
        if endReason == .none { leave(worker, now) } else { stop(worker) }
      case .absent, .idle, .leaving, .dying: break
      }
    }
  }

  private mutating func stop(_ worker: Int) {
    workers[worker].phase = .dying
    workers[worker].limit = nil
    actions.append(.stop(worker: worker))
  }

  private mutating func leave(_ worker: Int, _ now: Int64) {
    workers[worker].phase = .leaving
    workers[worker].limit = Self.later(now, options.stopGrace)
    actions.append(.finish(worker: worker))
  }

  private var batchesQueued: Int {
    let fresh = results.count - nextItem
    return returned.count + fresh / options.batchSize + (fresh % options.batchSize > 0 ? 1 : 0)
  }

  private mutating func nextBatch(for worker: Int) -> [Int]? {
    var most = options.batchSize
    if options.maxItemsPerWorker > 0 {
      most = min(most, options.maxItemsPerWorker - workers[worker].itemsDone)
    }
    if var chunk = returned.popLast() {
      let count = count(of: chunk, most)
      if chunk.count > count {
        returned.append(Array(chunk[count...]))
        chunk.removeSubrange(count...)
      }
      return chunk
    }
    guard nextItem < results.count else { return nil }
    let items = nextItem..<min(results.count, nextItem + most)
    let end = nextItem + count(of: items, most)
    defer { nextItem = end }
    return Array(nextItem..<end)
  }

  private func count(of items: some Collection<Int>, _ most: Int) -> Int {
    var count = 0
    var bytes = 0
    for item in items {
      bytes += size(item)
      if count == most || count > 0 && bytes > Self.mostBytes { break }
      count += 1
    }
    return count
  }

  private mutating func give(_ items: [Int], to worker: Int, _ now: Int64) {
    batchCount += 1
    workers[worker].phase = .busy
    workers[worker].batch = batchCount
    workers[worker].items = items
    workers[worker].batchLimit = limit(options.batchTimeout, now)
    workers[worker].itemLimit = limit(options.itemTimeout, now)
    workers[worker].heardLimit = limit(options.heartbeatTimeout, now)
    for item in items {
      results[item].attempts += 1
      results[item].process = workers[worker].process
      results[item].start = now
      results[item].state = .running
    }
    actions.append(.send(worker: worker, batch: batchCount, items: items))
  }

  private func limit(_ time: Int64, _ now: Int64) -> Int64? {
    time > 0 ? Self.later(now, time) : nil
  }
  private static func later(_ now: Int64, _ time: Int64) -> Int64 {
    now > Int64.max - time ? Int64.max : now + time
  }
  /// By chance but reproducibly.
  private static func chance(_ item: Int, _ attempt: Int) -> Double {
    var x = UInt64(truncatingIfNeeded: item) &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(attempt)
    x = (x ^ x >> 30) &* 0xbf58_476d_1ce4_e5b9
    return Double((x ^ x >> 31) >> 11) / 9007199254740992
  }
}
