// SPDX-License-Identifier: MIT
import Synchronization
import Workpool

/// A pipeline as the work of a job: started by the job, stopped by it, on no thread of the job's own.
final class PipelineWork: DetachedWork {
  /// Nobody looks at its progress; only its end is told.
  private static let interval: Int64 = 3_600_000_000_000

  private let pipeline: Pipeline
  private let hasEnded = Atomic<Bool>(false)
  private var subscription: UInt64 = 0

  init(_ pipeline: Pipeline) { self.pipeline = pipeline }

  override func begin(_ context: JobContext) -> JobOutcome? {
    hasEnded.store(false, ordering: .relaxed)
    do throws(WorkpoolError) {
      subscription = try pipeline.subscribe(every: Self.interval, destroy: {}) {
        [unowned(unsafe) self] progress in
        guard progress.isLast else { return }
        hasEnded.store(true, ordering: .releasing)  // pairs with due
        wake()
      }
      try pipeline.start()
      return nil
    } catch {
      unsubscribe()
      return Self.outcome(of: error)
    }
  }

  override var due: Int64? {
    hasEnded.load(ordering: .acquiring) ? 0 : nil  // pairs with begin
  }

  override func advance(now: Int64) -> JobOutcome? {
    unsubscribe()
    do throws(WorkpoolError) {
      // It has come to its outcome, and is just about to say so.
      let status = try pipeline.wait()
      if !status.isError { return .completed }
      let text = try pipeline.failureText() ?? "\(status.text)"
      return status == .cancelled
        ? JobOutcome(.cancelled, status.rawValue, text)
        : JobOutcome(.error, status.rawValue, text)
    } catch {
      return Self.outcome(of: error)
    }
  }

  override func stop(now: Int64) {
    // It fails where the run has ended meanwhile: then there is nothing to stop.
    try? pipeline.cancel()
  }

  private func unsubscribe() {
    guard subscription != 0 else { return }
    // It fails only where there is none.
    try? pipeline.unsubscribe(subscription)
    subscription = 0
  }

  private static func outcome(of error: WorkpoolError) -> JobOutcome {
    JobOutcome(.error, error.status.rawValue, error.text)
  }
}
