// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// Items through worker processes as the work of a job, on a thread of its own, which sleeps while they
/// work.
public final class BatchWork: DetachedWork, @unchecked Sendable {
  private let run: BatchRun
  private let items: [[UInt8]]
  private let begins: () -> Bool
  private let ends: ([BatchResult], String) -> Void
  private let finished: (Int, BatchResult) -> Void
  private var context: JobContext?
  /// Of the attempt, if a record is kept.
  private var logs: ItemLogs?
  private var thread: OpaquePointer?
  /// Of the thread, until it has ended.
  private var outcome = JobOutcome.completed
  private let hasEnded = Atomic<Bool>(false)

  /// - Parameters:
  ///   - items: JSON texts.
  ///   - begins: called before every attempt; false: somebody else uses the batch.
  ///   - finished: an item's result, as it comes, on the job's thread.
  ///   - ends: all results, and why the run could not go on; before the attempt ends.
  public init(
    _ run: BatchRun, _ items: [[UInt8]], begins: @escaping () -> Bool,
    finished: @escaping (Int, BatchResult) -> Void,
    ends: @escaping ([BatchResult], String) -> Void
  ) {
    self.run = run
    self.items = items
    self.begins = begins
    self.finished = finished
    self.ends = ends
  }

  public override func begin(_ context: JobContext) -> JobOutcome? {
    guard begins() else {
      return JobOutcome(.error, Status.busy.rawValue, "the batch is running")
    }
    self.context = context
    logs = nil
    if let folder = context.recorder?.file(context.id, attempt: context.attempt, "items") {
      do throws(WorkpoolError) {
        logs = try ItemLogs(in: folder)
      } catch {
        context.warn(error.text)
      }
    }
    hasEnded.store(false, ordering: .relaxed)
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { work in
      guard let work else { return }
      Unmanaged<BatchWork>.fromOpaque(work).takeUnretainedValue().live()
    }
    thread = wpl_thread_create("wp-batch", 0, body, Unmanaged.passUnretained(self).toOpaque())
    guard thread == nil else { return nil }
    ends([], "")
    return JobOutcome(
      .error, Status.noThread.rawValue, "the thread wp-batch could not be created")
  }

  private func live() {
    let (results, failure) = run.run(items.count, json: { [items] in items[$0][...] }) {
      [self] event in tell(event)
    }
    outcome = Self.outcome(of: results, failure)
    ends(results, failure)
    hasEnded.store(true, ordering: .releasing)  // pairs with due
    wake()
  }

  private func tell(_ event: BatchRun.Event) {
    guard let context else { return }
    do throws(WorkpoolError) {
      try logs?.take(event)
    } catch {
      // Once: the items are what matters.
      logs = nil
      context.warn(error.text)
    }
    switch event {
    case .batchStarted(let batch, let items, let process):
      context.tell(.batchStarted) {
        $0.item = Int64(batch)
        $0.count = Int64(items)
        $0.process = process
      }
    case .batchFinished(let batch, let process):
      context.tell(.batchFinished) {
        $0.item = Int64(batch)
        $0.process = process
      }
    case .itemFinished(let item, let result):
      context.tell(.itemFinished) {
        $0.item = Int64(item)
        $0.state = result.state
        $0.reason = result.reason
        $0.detail = result.detail
        $0.text = result.error
        $0.process = result.process
      }
      finished(item, result)
    case .workerCrashed(_, let process, let item, let death):
      context.tell(.workerCrashed) {
        $0.item = Int64(item)
        $0.process = process
        $0.detail = death.detail
        $0.text = death.text
      }
    case .workerStarted(_, let process, let isRespawned):
      if isRespawned { context.tell(.workerRespawned) { $0.process = process } }
    case .workerReady, .itemSaid: break
    }
  }

  /// All items are fine, or the first one that is not says what the job came to.
  static func outcome(of results: [BatchResult], _ failure: String) -> JobOutcome {
    var bad = 0
    var first: Int?
    for (index, result) in results.enumerated() where !result.state.isSatisfied {
      bad += 1
      if first == nil { first = index }
    }
    guard let first else { return .completed }
    let result = results[first]
    var outcome: JobOutcome
    switch result.reason {
    case .user:
      outcome = JobOutcome(.cancelled, Status.cancelled.rawValue)
      outcome.wasSignalled = true
      return outcome
    case .poison: outcome = JobOutcome(.poison, result.detail)
    case .crashed: outcome = JobOutcome(.crashed, result.detail)
    default: outcome = JobOutcome(.error, Status.stageFailed.rawValue)
    }
    outcome.text =
      failure.isEmpty
      ? "\(bad) of \(results.count) items failed; item \(first): \(result.error)" : failure
    return outcome
  }

  public override var due: Int64? {
    hasEnded.load(ordering: .acquiring) ? 0 : nil  // pairs with live
  }

  public override func advance(now: Int64) -> JobOutcome? {
    guard hasEnded.load(ordering: .acquiring) else { return nil }  // pairs with live
    if let thread { wpl_thread_join(thread) }
    thread = nil
    context = nil
    run.forgetCancel()
    return outcome
  }

  public override func stop(now: Int64) { run.cancel() }
  public override func kill(now: Int64) { run.cancel(kills: true) }
}
