// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// Who is told how far the runs of a pipeline are: called by the pool's timer, and once more by the
/// thread that ends a run, when its outcome is decided and before those who wait for it are told.
///
/// The calls of one pipeline never overlap: the timer has one thread, and the last calls come after
/// the timer's entries are gone. Inside a call nothing waits (`PoolTimer.isOnThisThread`), so whoever
/// waits for the end of a call waits for the user's code alone.
final class ProgressSubscribers: @unchecked Sendable {
  typealias Tell = (PipelineProgress) -> Void

  private final class Subscriber {
    let id: UInt64
    let interval: Int64
    let tell: Tell
    unowned(unsafe) let list: ProgressSubscribers
    /// The timer's entry while a run is under way; 0: none.
    var timer: UInt64 = 0
    /// For the serial reference, which looks at the clock itself.
    var due: Int64 = 0
    var estimator = ProgressEstimator(start: 0)
    let destroy: () -> Void
    var isGone = false
    var isDestroyed = false

    init(
      _ id: UInt64, _ list: ProgressSubscribers, _ interval: Int64, _ tell: @escaping Tell,
      _ destroy: @escaping () -> Void
    ) {
      self.id = id
      self.list = list
      self.interval = interval
      self.tell = tell
      self.destroy = destroy
    }
  }

  private let timer: PoolTimer?
  private let monitor: Monitor
  private let totalBlocks = Atomic<UInt64>(.max)
  private let totalBytes = Atomic<UInt64>(.max)
  private let count = Atomic<Int>(0)
  // Under the lock.
  private var subscribers: [Subscriber] = []
  private var isClosed = false
  private var lastID: UInt64 = 0
  private var telling: UInt64 = 0
  /// The run that is under way.
  private var run: UnsafeMutablePointer<PipelineRun>?

  /// - Parameter timer: nil: the serial reference tells when something is due.
  init(_ timer: PoolTimer?) throws(WorkpoolError) {
    self.timer = timer
    monitor = try Monitor()
  }

  deinit { monitor.destroy() }

  // MARK: Who is told

  func subscribe(
    every interval: Int64, destroy: @escaping () -> Void, _ tell: @escaping Tell
  ) throws(WorkpoolError) -> UInt64 {
    monitor.lock()
    defer { monitor.unlock() }
    guard !isClosed else { throw WorkpoolError(.invalidState, "the pipeline was destroyed") }
    let subscriber = Subscriber(lastID + 1, self, interval, tell, destroy)
    if let run { try begin(subscriber, run) }
    lastID += 1
    subscribers.append(subscriber)
    count.store(subscribers.count, ordering: .relaxed)
    return lastID
  }

  /// Afterwards the subscriber is not told any more; waits while it is being told, unless inside a call
  /// of this pipeline.
  /// - Throws: `invalidArgument` if there is none; `wouldDeadlock` inside a call of another pipeline.
  func unsubscribe(_ id: UInt64) throws(WorkpoolError) {
    let isInside = isInCall
    guard isInside || !PoolTimer.isOnThisThread else {
      throw WorkpoolError(.wouldDeadlock, "a progress callback of another pipeline cannot wait")
    }
    monitor.lock()
    guard let index = subscribers.firstIndex(where: { $0.id == id }) else {
      monitor.unlock()
      throw WorkpoolError(.invalidArgument, "there is no subscriber \(id)")
    }
    let subscriber = subscribers.remove(at: index)
    count.store(subscribers.count, ordering: .relaxed)
    subscriber.isGone = true
    let entry = subscriber.timer
    monitor.unlock()
    timer?.remove(entry, waits: !isInside)
    monitor.lock()
    while telling == id && !isInside { monitor.wait() }
    // Else whoever is telling it looks after it.
    let isMine = telling != id && !subscriber.isDestroyed
    if isMine { subscriber.isDestroyed = true }
    monitor.unlock()
    if isMine { subscriber.destroy() }
  }

  /// Sets what the runs will come to; nil: unknown.
  func setTotal(blocks: UInt64?, bytes: UInt64?) {
    totalBlocks.store(blocks ?? .max, ordering: .relaxed)
    totalBytes.store(bytes ?? .max, ordering: .relaxed)
  }

  private var totals: (blocks: UInt64?, bytes: UInt64?) {
    let blocks = totalBlocks.load(ordering: .relaxed)
    let bytes = totalBytes.load(ordering: .relaxed)
    return (blocks == .max ? nil : blocks, bytes == .max ? nil : bytes)
  }

  /// No run is left, and none will come.
  func close() {
    monitor.lock()
    let gone = subscribers
    subscribers = []
    isClosed = true
    monitor.unlock()
    for subscriber in gone { subscriber.destroy() }
  }

  // MARK: Runs

  /// Before anything of the run is called.
  /// - Throws: `noThread`, `noMemory`; nobody will be told then.
  func begin(_ run: UnsafeMutablePointer<PipelineRun>) throws(WorkpoolError) {
    monitor.lock()
    self.run = run
    var failure: WorkpoolError?
    for subscriber in subscribers where failure == nil {
      do throws(WorkpoolError) {
        try begin(subscriber, run)
      } catch {
        failure = error
      }
    }
    monitor.unlock()
    if let failure {
      withdraw()
      throw failure
    }
  }

  /// The run does not begin after all.
  func withdraw() { _ = end() }

  /// With the lock held.
  private func begin(
    _ subscriber: Subscriber, _ run: UnsafeMutablePointer<PipelineRun>
  ) throws(WorkpoolError) {
    let now = Clock.now
    subscriber.estimator = ProgressEstimator(start: run.pointee.startTime)
    subscriber.due = now.addingReportingOverflow(subscriber.interval).partialValue
    if let timer, !run.pointee.options.isSerialReference {
      subscriber.timer = try timer.add(
        at: subscriber.due, every: subscriber.interval,
        context: Unmanaged.passUnretained(subscriber).toOpaque()
      ) { context in
        let subscriber = Unmanaged<Subscriber>.fromOpaque(context).takeUnretainedValue()
        subscriber.list.tick(subscriber)
      }
    }
  }

  /// Takes the entries of a run from the timer; nobody is told by it any more.
  /// - Returns: the subscribers of the run.
  private func end() -> [Subscriber] {
    monitor.lock()
    run = nil
    let told = subscribers
    var entries: [UInt64] = []
    for subscriber in told {
      entries.append(subscriber.timer)
      subscriber.timer = 0
    }
    monitor.unlock()
    for entry in entries { timer?.remove(entry) }
    return told
  }

  /// After the outcome was decided, by the thread that did.
  func end(_ run: UnsafeMutablePointer<PipelineRun>) {
    for subscriber in end() { tell(subscriber, run, isLast: true) }
  }

  /// By the serial reference, between two calls.
  func lookAtClock(_ run: UnsafeMutablePointer<PipelineRun>) {
    guard count.load(ordering: .relaxed) > 0 else { return }
    let now = Clock.now
    monitor.lock()
    let due = subscribers.filter { $0.due <= now }
    for subscriber in due {
      subscriber.due = now.addingReportingOverflow(subscriber.interval).partialValue
    }
    monitor.unlock()
    for subscriber in due { tell(subscriber, run, isLast: false) }
  }

  private func tick(_ subscriber: Subscriber) {
    monitor.lock()
    let run = run
    monitor.unlock()
    // While the entry is in the timer the run is there.
    if let run { tell(subscriber, run, isLast: false) }
  }

  private func tell(
    _ subscriber: Subscriber, _ run: UnsafeMutablePointer<PipelineRun>, isLast: Bool
  ) {
    monitor.lock()
    guard !subscriber.isGone else { return monitor.unlock() }
    telling = subscriber.id
    monitor.unlock()

    var progress = run.pointee.progress(totals)
    progress.isLast = isLast
    subscriber.estimator.observe(
      Clock.now, blocks: run.pointee.blocksThatLeft, bytes: progress.bytesIn)
    progress.blocksPerSecond = subscriber.estimator.blocksPerSecond
    progress.bytesPerSecond = subscriber.estimator.bytesPerSecond
    progress.remainingNanoseconds =
      isLast
      ? 0
      : subscriber.estimator.remaining(
        blocks: progress.totalBlocks, bytes: progress.totalBytes)
    let outer = wpl_thread_timer()
    wpl_set_thread_timer(Unmanaged.passUnretained(self).toOpaque())
    subscriber.tell(progress)
    wpl_set_thread_timer(outer)

    monitor.lock()
    let mustDestroy = subscriber.isGone && !subscriber.isDestroyed
    if mustDestroy {
      subscriber.isDestroyed = true
      monitor.unlock()
      subscriber.destroy()
      monitor.lock()
    }
    telling = 0
    monitor.wakeAll()
    monitor.unlock()
  }

  /// Whether the calling thread is inside a call of this pipeline's.
  private var isInCall: Bool {
    wpl_thread_timer() == Unmanaged.passUnretained(self).toOpaque()
  }
}
