// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

/// The k-th thread, allocation or process cannot be had. The counters of threads and processes belong to
/// the whole program: programs of their own.
@Suite struct JobFaultTests {
  private static func job(_ id: String, _ hint: JobSpec.Hint = .lightCPU) -> Job {
    var spec = JobSpec(id)
    spec.hint = hint
    let job = Job(spec, .callback { _ in .completed })
    job.onComplete = { _ in 0 }
    job.cleanUp = { _ in }
    return job
  }

  /// Everything that a pool has threads for, but for a record.
  private static func use(_ jobs: JobPool) throws(WorkpoolError) {
    let subscriber = try jobs.subscribe { _ in }
    do throws(WorkpoolError) {
      try jobs.submit([job("cpu"), job("io", .lightIO)])
    } catch {
      try jobs.unsubscribe(subscriber)
      throw error
    }
    guard try jobs.waitForAll() == .ok, jobs.find("io").flatMap({ jobs.state($0) }) == .completed
    else { preconditionFailure("the jobs did not run") }
  }

  private static func makePool() throws(WorkpoolError) -> JobPool {
    var options = JobPool.Options()
    options.scheduling.limits.slots = 2
    return try JobPool(options)
  }

  @Test("a thread that cannot be created is an error of the call, and the pool goes on")
  func threads() async {
    await #expect(processExitsWith: .success) {
      var refused = 0
      for possible in 0..<Int64(100) {
        let jobs = try Self.makePool()
        wpl_fail_thread_after(possible)
        do throws(WorkpoolError) {
          try Self.use(jobs)
          wpl_fail_thread_after(-1)
          try jobs.close()
          break
        } catch {
          wpl_fail_thread_after(-1)
          precondition(error.status == .noThread, error.text)
          refused += 1
          try Self.use(jobs)
          try jobs.close()
        }
      }
      // A subscriber, service, clerk, dispatcher, two workers each for CPU and I/O.
      precondition(refused == 8, "\(refused) threads were refused")
    }
  }

  @Test("a record without a thread is refused, and the pool goes on without or with a later one")
  func record() async {
    await #expect(processExitsWith: .success) {
      var template = Array("/tmp/wpool-fault.XXXXXX".utf8CString)
      guard let made = mkdtemp(&template) else { return precondition(false) }
      let folder = String(cString: made)
      let jobs = try Self.makePool()
      wpl_fail_thread_after(0)
      do throws(WorkpoolError) {
        try jobs.record(to: folder, RecordOptions())
        preconditionFailure("the thread must be refused")
      } catch {
        precondition(error.status == .noThread, error.text)
      }
      precondition(jobs.recordedRun == nil)
      try jobs.record(to: folder, RecordOptions())
      try Self.use(jobs)
      try jobs.close()
      try FileManager.default.removeItem(atPath: folder)
    }
  }

  @Test("an allocation that fails is an error of the call, and the pool goes on")
  func allocations() throws {
    var refused = 0
    for possible in 0..<Int64(1000) {
      wpl_fail_own_allocation_after(possible)
      defer { wpl_fail_own_allocation_after(-1) }
      var kept: JobPool?
      do throws(WorkpoolError) {
        let jobs = try Self.makePool()
        kept = jobs
        try Self.use(jobs)
        wpl_fail_own_allocation_after(-1)
        try jobs.close()
        break
      } catch {
        wpl_fail_own_allocation_after(-1)
        #expect(error.status == .noMemory || error.status == .noThread, "\(error.text)")
        refused += 1
        if let kept {
          try Self.use(kept)
          try kept.close()
        }
      }
    }
    #expect(refused > 8)
  }

  @Test("a process that cannot be started fails its job alone, or its attempt")
  func processes() async {
    await #expect(processExitsWith: .success) {
      for possible in 0..<Int64(4) {
        let jobs = try Self.makePool()
        wpl_fail_process_start_after(possible)
        let handles = try jobs.submit(
          (0..<4).map { number in
            var spec = JobSpec("\(number)")
            spec.kind = .command
            spec.retry.maxRetries = number == 2 ? 1 : 0
            spec.retry.delay = 0
            if number > 0 { spec.orderOnly = ["\(number - 1)"] }
            return Job(spec, .detached(CommandWork { _ in ChildCommand(["true"]) }))
          })
        let status = try jobs.waitForAll()
        precondition(status == .ok)
        for (number, handle) in handles.enumerated() {
          let view = jobs.view(handle)
          let isRefused = number == possible && number != 2
          precondition(view?.state == (isRefused ? .failed : .completed))
          precondition(view?.attempt == (number == possible && number == 2 ? 2 : 1))
          if isRefused {
            precondition(view?.reason == .spawn && view?.detail == EAGAIN, view?.text ?? "")
          }
        }
        try jobs.close()
      }
    }
  }

  @Test("workers of a batch that cannot be started are started again, but not for ever")
  func workers() async {
    await #expect(processExitsWith: .success) {
      let batch = try BatchRun(ChildCommand(["true"]))
      wpl_fail_process_start_after(0)
      let item = Array("1".utf8)
      let (results, failure) = batch.run(1, json: { _ in item[...] }, tell: { _ in })
      precondition(results[0].reason == .crashed && failure.contains("3 workers in a row"), failure)
    }
  }
}
