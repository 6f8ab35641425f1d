// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Glibc
import Synchronization
import Workpool

/// Takes files one after the other, on a thread of its own: wherever that waits, for a file, a pipe or a
/// disk, the main thread answers signals and shows progress.
///
/// A file that fails is told and the next one is taken; the exit code is that of the worst.
final class FileSession: @unchecked Sendable {
  let workers: Int
  let words: FileWordOptions
  let progress: FileProgress
  private let token: Token
  private let display: ProgressDisplay
  private let monitor: Monitor
  private var thread: OpaquePointer?
  /// Of the thread: made when it is first needed, ends with the process.
  private var pool: Pool?
  // Under the lock.
  private var messages: [String] = []
  private var writer: FileWriter?
  private var ended: ExitCode?
  private var isInterrupted = false

  /// Looks at the files after a signal, before the process goes without them: nine tenths of a second.
  private static let patience = 9

  /// - Parameters:
  ///   - hasReads: whether records are counted.
  ///   - fillsOutput: whether data goes to standard output, where a bar would disturb it.
  init(
    _ words: FileWordOptions, total: UInt64?, hasReads: Bool, fillsOutput: Bool
  ) throws(Failure) {
    self.words = words
    workers = try words.workers()
    progress = FileProgress(total: total)
    display = ProgressDisplay(
      try words.progress.form(), descriptor: words.progress.descriptor, hasReads: hasReads,
      isQuiet: words.progress.quiet || fillsOutput && isatty(1) == 1)
    do throws(WorkpoolError) {
      token = try Token()
      monitor = try Monitor()
    } catch {
      throw Failure(beforeStart: error)
    }
  }

  deinit { monitor.destroy() }

  /// - Parameter take: does what is to be done with the file of a number; throws when it failed.
  func run(
    _ count: Int, _ take: @escaping (Int) throws(WorkpoolError) -> Void
  ) throws(Failure) -> ExitCode {
    Interrupts.cancel(token)
    try start { [self] in perform(count, take) }
    var display = display
    var patience = Self.patience
    while true {
      let (said, code) = wait()
      if !said.isEmpty { display.hide() }
      for message in said { Console.say(message) }
      if let code {
        display.end(progress.now, isComplete: code == .success)
        return code
      }
      display.show(progress.now)
      if let signal = Interrupts.caught {
        token.cancel()
        patience -= 1
        if patience == 0 {
          display.end(progress.now, isComplete: false)
          leave(signal)
        }
      }
    }
  }

  // MARK: For the thread

  func say(_ message: String) {
    monitor.lock()
    messages.append(message)
    monitor.wakeAll()
    monitor.unlock()
  }

  func note(_ notes: [String]) {
    if !words.progress.quiet { for note in notes { say("note: " + note) } }
  }

  /// Runs a pipeline that `build` makes of a source and an end.
  func run(
    _ input: FileInput, _ build: (Pipeline) throws(WorkpoolError) -> Void
  ) throws(WorkpoolError) {
    var options = Pipeline.Options()
    options.token = token
    options.maxBlocksInFlight = min(100, 4 * workers + 4)
    // A block is 1 MiB, or a zstd frame of up to 16.
    options.maxBytesInFlight = options.maxBlocksInFlight << 20
    // A file of a block or two is done before a worker has woken up.
    options.isSerialReference = input.isSmall
    let pipeline = try Pipeline(on: input.isSmall ? nil : try sharedPool(), options)
    var failure: WorkpoolError?
    do throws(WorkpoolError) {
      try build(pipeline)
      if try pipeline.run().isError { failure = try Self.error(of: pipeline) }
    } catch {
      failure = error
    }
    try pipeline.destroy()
    if let failure { throw failure }
  }

  /// The same, to the end of an output, which appears if all goes well or not at all.
  func write(
    _ input: FileInput, to endpoint: Endpoint, _ options: FileWriter.Options,
    _ setSource: (Pipeline) throws(WorkpoolError) -> Void
  ) throws(WorkpoolError) -> WriterInfo {
    let writer: FileWriter
    do throws(WorkpoolError) {
      writer = try FileWriter(endpoint, options)
    } catch {
      throw error.withHint
    }
    hold(writer)
    defer { hold(nil) }
    do throws(WorkpoolError) {
      try run(input) { (pipeline) throws(WorkpoolError) in
        try setSource(pipeline)
        try pipeline.setWriter(writer)
      }
      return try writer.finish()
    } catch {
      writer.abandon()
      throw writer.failure ?? error.withHint
    }
  }

  private func sharedPool() throws(WorkpoolError) -> Pool {
    if let pool { return pool }
    var options = Pool.Options()
    options.workers = workers
    let started = try Pool(options)
    _ = Unmanaged.passRetained(started)
    pool = started
    return started
  }

  private static func error(of pipeline: Pipeline) throws(WorkpoolError) -> WorkpoolError {
    let outcome = try pipeline.result()
    if outcome.status == .cancelled { return WorkpoolError(.cancelled, "cancelled") }
    let error = try pipeline.errors().first {
      $0.number == outcome.number && $0.stage == outcome.stage
    }
    return WorkpoolError(Status(rawValue: outcome.code), error?.text ?? "the run failed")
  }

  private func hold(_ writer: FileWriter?) {
    monitor.lock()
    self.writer = writer
    monitor.unlock()
  }

  private func perform(_ count: Int, _ take: (Int) throws(WorkpoolError) -> Void) {
    var worst = ExitCode.success
    var isInterrupted = false
    for index in 0..<count where !isInterrupted && worst != .closedOutput {
      do throws(WorkpoolError) {
        if token.isCancelled { throw WorkpoolError(.cancelled, "cancelled") }
        try take(index)
      } catch {
        let code = ExitCode(error, beforeStart: count == 1)
        if token.isCancelled {
          isInterrupted = true
        } else if code == .closedOutput {
          worst = code
        } else {
          say(error.text)
          worst = ExitCode(max(worst.rawValue, code.rawValue))
        }
      }
      progress.endFile()
    }
    monitor.lock()
    self.isInterrupted = isInterrupted
    ended = worst
    monitor.wakeAll()
    monitor.unlock()
  }

  // MARK: For the main thread

  private func start(_ body: @escaping () -> Void) throws(Failure) {
    let context = Unmanaged.passRetained(Body(body))
    thread = wpl_thread_create(
      "files", 0, { Unmanaged<Body>.fromOpaque($0!).takeRetainedValue().body() },
      context.toOpaque())
    if thread == nil {
      context.release()
      throw Failure(
        beforeStart: WorkpoolError(.noThread, "no thread for the files", systemError: errno))
    }
  }

  private final class Body {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// What was said since the last call, and how all ended if it has.
  private func wait() -> (said: [String], code: ExitCode?) {
    let deadline = Clock.now + ProgressDisplay.interval
    monitor.lock()
    while ended == nil && messages.isEmpty && monitor.wait(until: deadline) {}
    let (said, ended, isInterrupted) = (messages, ended, isInterrupted)
    messages = []
    monitor.unlock()
    guard var code = ended else { return (said, nil) }
    if let thread { wpl_thread_join(thread) }
    thread = nil
    if isInterrupted, let signal = Interrupts.caught { code = interrupted(signal) }
    return (said, code)
  }

  /// The thread hangs in the operating system: the process goes without it.
  private func leave(_ signal: Int32) -> Never {
    monitor.lock()
    let files = writer?.temporaryFiles ?? []
    monitor.unlock()
    for path in files { _ = wpl_file_remove(path) }  // may be gone
    _exit(interrupted(signal).rawValue)
  }

  private func interrupted(_ signal: Int32) -> ExitCode {
    Console.say("ended by \(signal == SIGINT ? "SIGINT" : "SIGTERM")")
    return .signal(signal)
  }
}

extension WorkpoolError {
  /// In the words of commands whose `-f` replaces files.
  fileprivate var withHint: WorkpoolError {
    var error = self
    if status == .outputExists { error.message = "exists already; -f replaces it" }
    return error
  }
}

/// How far the files are; written by any thread.
final class FileProgress: Sendable {
  /// Bytes of all inputs; nil unless they are regular files.
  private let total: UInt64?
  private let done = Atomic<UInt64>(0)
  private let taken = Atomic<UInt64>(0)
  private let bytes = Atomic<UInt64>(0)
  private let records = Atomic<UInt64>(0)
  private let blocks = Atomic<UInt64>(0)

  init(total: UInt64?) { self.total = total }

  /// - Parameter taken: how much of the file was read when the block was complete.
  func add(_ block: UnsafeMutablePointer<Block>, records count: Int = 0) {
    bytes.add(UInt64(block.pointee.size), ordering: .relaxed)
    blocks.add(1, ordering: .relaxed)
    records.add(UInt64(count), ordering: .relaxed)
    taken.max(block.pointee.meta.3, ordering: .relaxed)
  }

  func endFile() {
    done.add(taken.exchange(0, ordering: .relaxed), ordering: .relaxed)
  }

  var now: ProcessProgress {
    var progress = ProcessProgress()
    progress.reads = records.load(ordering: .relaxed)
    progress.blocks = blocks.load(ordering: .relaxed)
    progress.decodedBytes = bytes.load(ordering: .relaxed)
    progress.packedBytesRead =
      done.load(ordering: .relaxed) + taken.load(ordering: .relaxed)
    progress.packedBytesTotal = total
    return progress
  }
}
