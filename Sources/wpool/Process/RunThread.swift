// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// A run on a thread of its own: wherever it waits, for a file, a pipe or a disk, the main thread
/// can answer a signal.
final class RunThread: @unchecked Sendable {
  struct Ended {
    let report: ProcessReport
    /// Why the timeline could not be written.
    let timelineError: WorkpoolError?
  }

  enum Outcome {
    case ended(Ended)
    case notBegun(WorkpoolError)
  }

  private let plan: ProcessPlan
  private let workers: Int
  private let timeline: SideFile?
  private let monitor: Monitor
  private var thread: OpaquePointer?
  // Under the lock.
  private var run: ProcessRun?
  private var outcome: Outcome?

  /// - Parameter workers: 0 for the serial reference.
  init(_ plan: ProcessPlan, workers: Int, timeline: SideFile?) throws(WorkpoolError) {
    self.plan = plan
    self.workers = workers
    self.timeline = timeline
    monitor = try Monitor()
  }

  deinit { monitor.destroy() }

  func start() throws(WorkpoolError) {
    let context = Unmanaged.passRetained(self)
    thread = wpl_thread_create(
      "run", 0, { Unmanaged<RunThread>.fromOpaque($0!).takeRetainedValue().perform() },
      context.toOpaque())
    if thread == nil {
      context.release()
      throw WorkpoolError(.noThread, "no thread for the run", systemError: errno)
    }
  }

  /// How the run ended, if it does before `timeout` nanoseconds are over.
  func wait(timeout: Int64) -> Outcome? {
    let deadline = Clock.now + timeout
    monitor.lock()
    while outcome == nil && monitor.wait(until: deadline) {}
    let outcome = outcome
    monitor.unlock()
    if outcome != nil, let ended = thread {
      wpl_thread_join(ended)
      thread = nil
    }
    return outcome
  }

  /// nil before the files are open.
  var progress: ProcessProgress? { current?.progress }

  /// Removes what the run has written so far, whatever it is doing.
  func removeTemporaryFiles() {
    for path in current?.temporaryFiles ?? [] { _ = wpl_file_remove(path) }  // may be gone
  }

  private var current: ProcessRun? {
    monitor.lock()
    defer { monitor.unlock() }
    return run
  }

  private func perform() {
    let outcome: Outcome
    do throws(WorkpoolError) {
      outcome = .ended(try ended())
    } catch {
      outcome = .notBegun(error)
    }
    monitor.lock()
    self.outcome = outcome
    monitor.wakeAll()
    monitor.unlock()
  }

  private func ended() throws(WorkpoolError) -> Ended {
    var pool: Pool?
    if workers > 0 {
      var options = Pool.Options()
      options.workers = workers
      let started = try Pool(options)
      _ = Unmanaged.passRetained(started)  // its threads end with the process
      pool = started
    }
    let run = try ProcessRun(plan, on: pool)
    monitor.lock()
    self.run = run
    monitor.unlock()
    try run.start()
    while !(try run.wait()) {}
    var failure: WorkpoolError?
    let report = run.finish { pipeline in
      do throws(WorkpoolError) {
        try timeline?.write { (write) throws(WorkpoolError) in try pipeline.writeTimeline(write) }
      } catch {
        failure = error
      }
    }
    return Ended(report: report, timelineError: failure)
  }
}
