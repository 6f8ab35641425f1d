// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Writes down what the jobs of a pool do, on a thread of its own.
///
/// A step gives its events here, and behind them all that follows from them: starts, questions, callbacks.
/// The thread takes what has gathered, writes the events, and hands the rest on. So the end of a job is in the
/// journal before a dependent starts, and nobody writes under the pool's lock; what gathers meanwhile
/// is written together.
final class RunRecorder: @unchecked Sendable {
  enum Entry {
    case event(JobEvent)
    case submitted(JobEvent, Job)
    case ended(JobEvent, JobAttempt?, ChildEnd?, [UInt8])
    case line([JSONValue.Member])
    case start(CallbackWorkers, CallbackWorkers.Started)
    case errand(JobService.Errand)
    case give(Courier, Courier.Errand)
  }

  private static let summaryInterval: Int64 = 5_000_000_000

  private unowned(unsafe) let pool: JobPool
  let options: RecordOptions
  private let folder: RunFolder
  let runID: String
  /// From the root on.
  let path: String
  private let journal: JournalWriter
  private let texts: JobEventText
  private let wakening: Monitor
  private var thread: OpaquePointer?
  // Under `wakening`.
  private var isCalled = false

  // Under the pool's lock.
  private var entries: [Entry] = []
  /// The thread has nothing to do.
  private var isAsleep = false
  private var isClosing = false
  /// Of the last event that is in the journal.
  private var writtenSeq: UInt64 = 0
  private var failed: WorkpoolError?
  /// How children of attempts ended that are about to, by job.
  var ends: [Int: ChildEnd] = [:]

  // Of the thread.
  private var seq = 0
  private var summaryDue: Int64?

  /// - Throws: `exists`, `busy`, `ioFailed`, `noMemory`.
  init(_ pool: JobPool, _ options: RecordOptions, in logFolder: String) throws(WorkpoolError) {
    self.pool = pool
    self.options = options
    runID = options.runID.isEmpty ? RunName.ulid() : options.runID
    folder = try RunFolder(id: runID, in: logFolder)
    path = Self.absolute(folder.path)
    let now = Clock.now
    texts = JobEventText(start: now, wallStart: wpl_wall_time())
    journal = try JournalWriter(path: folder.journalPath, sync: options.sync)
    wakening = try Monitor()
    do throws(WorkpoolError) {
      try journal.append(header, mustLast: false, now: now)
    } catch {
      wakening.destroy()
      throw error
    }
  }

  deinit { wakening.destroy() }

  private static func absolute(_ path: String) -> String {
    if path.utf8.first == UInt8(ascii: "/") { return path }
    let folder = Surroundings.currentFolder
    return folder.isEmpty ? path : folder + "/" + path
  }

  private var header: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("type", .text("run")), .init("schema", .int(1)), .init("run", .text(runID)),
      .init("tool", .text("libworkpool " + String(cString: wpl_version()))),
      .init("name", .text(options.name)), .init("file", .null),
      .init("cwd", .text(Surroundings.currentFolder)), .init("host", .text(Surroundings.host)),
      .init("boot_id", .text(Surroundings.bootID)), .init("pid", .int(Int(wpl_process_id()))),
      .init("start", .text(RunName.isoTime(texts.wallStart))),
      .init("start_ns", .int(Int(texts.wallStart))),
      .init("slots", .int(pool.limits.slots)), .init("shard", .null),
    ]
    if let resumed = pool.locked({ pool.resumed }) {
      members.append(.init("resumes", .text(resumed.history.id)))
    }
    return members
  }

  func begin() throws(WorkpoolError) {
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { recorder in
      guard let recorder else { return }
      Unmanaged<RunRecorder>.fromOpaque(recorder).takeUnretainedValue().live()
    }
    thread = wpl_thread_create("wp-record", 0, body, Unmanaged.passUnretained(self).toOpaque())
    guard thread != nil else {
      throw WorkpoolError(.noThread, "the thread wp-record could not be created")
    }
  }

  // MARK: With the pool's lock held

  func append(_ entry: Entry) { entries.append(entry) }

  /// Whether `call` is needed.
  var mustBeCalled: Bool { isAsleep && !entries.isEmpty }

  /// Whether the terminal event of a job, or whatever has this number, is on record.
  func hasWritten(_ seq: UInt64) -> Bool { writtenSeq >= seq || failed != nil }

  var failure: WorkpoolError? { failed }

  // MARK: From any thread

  func call() {
    wakening.lock()
    isCalled = true
    wakening.wakeOne()
    wakening.unlock()
  }

  /// Adds a line of its own.
  func write(_ members: [JSONValue.Member]) {
    let mustCall = pool.locked {
      entries.append(.line(members))
      return isAsleep
    }
    if mustCall { call() }
  }

  /// A file of an attempt, from the root on.
  func file(_ id: String, attempt: Int32, _ suffix: String) -> String {
    path + "/" + name(id, attempt, suffix)
  }

  /// The same from the folder on.
  private func name(_ id: String, _ attempt: Int32, _ suffix: String) -> String {
    wakening.lock()
    defer { wakening.unlock() }
    return folder.name(id, attempt: attempt, suffix)
  }

  /// Time of a moment on the calendar.
  func isoTime(_ now: Int64) -> String { RunName.isoTime(texts.wallStart + now - texts.start) }

  /// Variables that the child of an attempt sees; processes of a run are known by them.
  func variables(_ context: JobContext) -> [String] {
    [
      "WPOOL_RUN_ID=" + runID, "WPOOL_JOB_ID=" + context.id,
      "WPOOL_ATTEMPT=\(context.attempt)", "WPOOL_SLOT=\(context.slot)",
      "WPOOL_CPUS=\(context.cpus)", "WPOOL_LOG_DIR=" + path,
    ]
  }

  /// Writes what is left and the summary. The pool goes on without a record.
  func close() {
    pool.locked { isClosing = true }
    call()
    if let thread { wpl_thread_join(thread) }
  }

  // MARK: The thread

  private func live() {
    while let batch = take() {
      if batch.isEmpty {
        sleep()
      } else {
        write(batch)
      }
      keepUp()
    }
    writeSummary(isEnd: true)
    writeTimelines()
    do throws(WorkpoolError) {
      if pool.locked({ failed }) == nil { try journal.syncNow(Clock.now) }
    } catch {
      fail(error)
    }
  }

  /// - Returns: nil: it is over.
  private func take() -> [Entry]? {
    pool.locked {
      let batch = entries
      entries = []
      isAsleep = batch.isEmpty
      if batch.isEmpty && isClosing {
        pool.recorder = nil
        return nil
      }
      return batch
    }
  }

  private func sleep() {
    let due = min(journal.syncDue ?? .max, summaryDue ?? .max)
    wakening.lock()
    while !isCalled {
      if due == .max {
        wakening.wait()
      } else if !wakening.wait(until: due) {
        break
      }
    }
    isCalled = false
    wakening.unlock()
  }

  private func write(_ batch: [Entry]) {
    var last: UInt64 = 0
    var next = 0
    while next < batch.count {
      // What follows from events is handed on when they are written, in one go.
      var end = next
      while end < batch.count, let seq = write(batch[end]) {
        last = max(last, seq)
        end += 1
      }
      var follows = end
      while follows < batch.count, batch[follows].isConsequence { follows += 1 }
      pool.proceed(batch[end..<follows], written: last, failure: pool.locked { failed })
      next = follows
    }
    if summaryDue == nil { summaryDue = Clock.now + Self.summaryInterval }
  }

  /// - Returns: the number of its event, 0 of a line; nil if it is no line of the journal.
  private func write(_ entry: Entry) -> UInt64? {
    switch entry {
    case .event(let event):
      var members = members(event)
      if event.kind == .runFinished {
        let scheduler = pool.locked { pool.scheduler }
        members += JobSums(scheduler, scheduler.kept).members
      }
      put(members, mustLast: event.kind == .runFinished)
      return event.seq
    case .submitted(let event, let job):
      var members = members(event)
      members.append(.init("hash", .text(job.definition)))
      members.append(.init("after", .list(job.spec.dependencies.map { .text($0) })))
      if job.spec.memory > 0 { members.append(.init("memory", .int(Int(job.spec.memory)))) }
      if job.spec.allowsFailure { members.append(.init("allow_failure", .bool(true))) }
      if job.spec.priority != 0 {
        members.append(.init("priority", .int(Int(job.spec.priority))))
      }
      if !job.adder.isEmpty { members.append(.init("added_by", .text(job.adder))) }
      put(members, mustLast: false)
      return event.seq
    case .ended(let event, let attempt, let end, let result):
      var members = members(event)
      if let end {
        members += JobEventText.members(end)
      } else if let attempt {
        members.append(.init("peak_memory", .int(Int(attempt.peakMemory))))
        members.append(.init("cpu_ns", .int(Int(attempt.cpuNanoseconds))))
      }
      let isTerminal = event.kind != .jobRetrying
      if isTerminal && !result.isEmpty { members.append(keep(result, of: event)) }
      put(members, mustLast: isTerminal)
      return event.seq
    case .line(let members):
      put(members, mustLast: false)
      return 0
    case .start, .errand, .give:
      return nil
    }
  }

  private func members(_ event: JobEvent) -> [JSONValue.Member] {
    seq += 1
    return texts.members(event, seq: seq)
  }

  /// A result is a file, whose size and sum are in the line: one that is there is whole.
  private func keep(_ result: [UInt8], of event: JobEvent) -> JSONValue.Member {
    let path = file(event.id, attempt: event.attempt, "result")
    let name = name(event.id, event.attempt, "result")
    if pool.locked({ failed }) == nil {
      do throws(WorkpoolError) {
        try SmallFile.write(result, as: path, syncs: options.sync == .always)
      } catch {
        fail(error)
      }
    }
    return .init("result", StoredResult(name, result).value)
  }

  private func put(_ members: [JSONValue.Member], mustLast: Bool) {
    guard pool.locked({ failed }) == nil else { return }
    do throws(WorkpoolError) {
      try journal.append(members, mustLast: mustLast, now: Clock.now)
    } catch {
      fail(error)
    }
  }

  /// Without a record nothing more may run.
  func fail(_ error: WorkpoolError) {
    pool.locked { failed = failed ?? error }
    pool.interrupt()
    pool.interrupt()
  }

  private func keepUp() {
    let now = Clock.now
    if let due = journal.syncDue, due <= now, pool.locked({ failed }) == nil {
      do throws(WorkpoolError) {
        try journal.syncNow(now)
      } catch {
        fail(error)
      }
    }
    if let due = summaryDue, due <= now {
      writeSummary(isEnd: false)
      summaryDue = nil
    }
  }

  /// They can be made again from the journal: nobody waits for the device, and that one is not there
  /// is no failure of the run.
  private func writeTimelines() {
    guard pool.locked({ failed }) == nil else { return }
    let scheduler = pool.locked { pool.scheduler }
    let chart = scheduler.chart(from: texts.start, until: Clock.now)
    for (name, text) in [("trace.json", chart.traceText), ("timeline.svg", chart.svgText)] {
      try? SmallFile.write(Array(text.utf8), as: path + "/" + name)
    }
  }

  private func writeSummary(isEnd: Bool) {
    guard pool.locked({ failed }) == nil else { return }
    let scheduler = pool.locked { pool.scheduler }
    let summary = JobSummary(
      id: runID, scheduler, scheduler.kept, start: texts.start, now: Clock.now, isEnd: isEnd
    ) { [self] view, attempt in
      let (id, number) = (view.spec.id, attempt.number)
      guard view.spec.kind == .command else {
        return [JSONValue.Member("log", .text(name(id, number, "log")))]
      }
      return [
        JSONValue.Member("out", .text(name(id, number, "out"))),
        JSONValue.Member("err", .text(name(id, number, "err"))),
      ]
    }
    do throws(WorkpoolError) {
      try RunFolder.replace(folder.summaryPath, with: summary.bytes)
    } catch {
      fail(error)
    }
  }
}

extension RunRecorder.Entry {
  /// It waits until the events before it are written.
  fileprivate var isConsequence: Bool {
    switch self {
    case .start, .errand, .give: true
    default: false
    }
  }
}

public struct RecordOptions: Sendable {
  /// Empty: a new one.
  public var runID = ""
  /// For people.
  public var name = ""
  public var sync = JournalWriter.Sync.group
  public init() {}
}

extension JobPool {
  /// Keeps a record of all that happens, in a new folder in this one: see `RunFolder`.
  ///
  /// - Throws: `invalidState` if there are jobs or a record already; `exists`, `ioFailed`, `noThread`,
  ///   `noMemory`.
  public func record(to logFolder: String, _ options: RecordOptions) throws(WorkpoolError) {
    let isLate = { self.locked { self.recorder != nil || self.scheduler.hasStarted } }
    guard !isLate() else { throw Self.tooLate }
    let new = try RunRecorder(self, options, in: logFolder)
    let isTaken = locked {
      if recorder != nil || scheduler.hasStarted { return true }
      recorder = new
      lookAtDefinitions()
      updateMask()
      return false
    }
    if isTaken { throw Self.tooLate }
    do throws(WorkpoolError) {
      try new.begin()
    } catch {
      locked {
        recorder = nil
        updateMask()
      }
      throw error
    }
  }

  private static var tooLate: WorkpoolError {
    WorkpoolError(.invalidState, "a record begins before the first job, and once")
  }

  /// Id and folder of the run that is recorded; nil: none is.
  public var recordedRun: (id: String, folder: String)? {
    locked { recorder }.map { ($0.runID, $0.path) }
  }

  /// With the lock held: the thread of the record does not stand back.
  func isOnRecord(_ seq: UInt64) -> Bool { recorder?.hasWritten(seq) ?? true }

  /// What had to wait for the journal goes on.
  func proceed(
    _ entries: ArraySlice<RunRecorder.Entry>, written: UInt64, failure: WorkpoolError?
  ) {
    var aftermath = Aftermath()
    monitor.lock()
    for entry in entries {
      switch entry {
      case .start(let workers, let started):
        if failure != nil {
          refuse(started.job)
        } else {
          workers.append(started)
          if workers === ioWorkers {
            aftermath.ioWorkers = workers
          } else {
            aftermath.cpuWorkers = workers
          }
        }
      case .errand(let errand):
        if case .begin(let job, _, _) = errand, failure != nil {
          refuse(job)
        } else {
          service?.errands.append(errand)
          aftermath.service = service
        }
      case .give(let courier, let errand):
        courier.give(errand)
      case .event, .submitted, .ended, .line: break
      }
    }
    recorder?.noteWritten(written)
    if waiters > 0 { monitor.wakeAll() }
    let more = drain()
    monitor.unlock()
    perform(aftermath)
    perform(more)
  }

  /// With the lock held: it was to start, and will not.
  private func refuse(_ job: JobHandle) {
    scheduler.finish(
      job, JobOutcome(.cancelled, 0, "the record cannot be written"), at: Clock.now)
  }
}

extension RunRecorder {
  /// With the pool's lock held.
  fileprivate func noteWritten(_ seq: UInt64) { writtenSeq = max(writtenSeq, seq) }
}
