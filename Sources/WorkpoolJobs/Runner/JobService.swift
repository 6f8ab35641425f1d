// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// The thread that begins and ends detached work and watches the clock. It sleeps until a descriptor of
/// such work is readable, until something is due, or until it is called.
final class JobService: @unchecked Sendable {
  enum Errand {
    case begin(JobHandle, Int32, Int32)
    case stop(JobHandle)
    case kill(JobHandle)
  }

  private struct Going {
    let context: JobContext
    let work: DetachedWork
  }

  private unowned(unsafe) let pool: JobPool
  private let descriptor: Int32
  private var thread: OpaquePointer?
  // Under the pool's lock.
  var errands = Ring<Errand>()
  private(set) var isAsleep = false
  /// Until when it sleeps; `max`: until it is called.
  private(set) var wakeTime: Int64 = .max
  private var isClosing = false
  private var identity: UInt = 0
  // Of the thread alone.
  private var going: [Going] = []

  init(_ pool: JobPool) throws(WorkpoolError) {
    self.pool = pool
    descriptor = wpl_call_create()
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "no descriptor for jobs", systemError: -descriptor)
    }
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { service in
      guard let service else { return }
      Unmanaged<JobService>.fromOpaque(service).takeUnretainedValue().live()
    }
    thread = wpl_thread_create("wp-jobs", 0, body, Unmanaged.passUnretained(self).toOpaque())
    guard thread != nil else {
      _ = wpl_file_close(descriptor)
      throw WorkpoolError(.noThread, "the thread wp-jobs could not be created")
    }
  }

  /// It looks at everything again, soon.
  func call() { wpl_call(descriptor) }

  var isOnThisThread: Bool { pool.locked { identity == wpl_thread_identity() } }

  func close() {
    pool.locked { isClosing = true }
    call()
    if let thread { wpl_thread_join(thread) }
    _ = wpl_file_close(descriptor)
  }

  private func live() {
    pool.locked { identity = wpl_thread_identity() }
    while let (due, isClosing) = beforeSleep() {
      if isClosing { return }
      sleep(until: due)
    }
  }

  /// Does all there is to do now.
  /// - Returns: until when there is nothing more to do.
  private func beforeSleep() -> (due: Int64?, isClosing: Bool)? {
    while true {
      pool.monitor.lock()
      isAsleep = false
      if let errand = errands.popFirst() {
        pool.monitor.unlock()
        run(errand)
        continue
      }
      let now = Clock.now
      if let due = pool.scheduler.nextDue, due <= now {
        pool.scheduler.tick(at: now)
        let aftermath = pool.drain()
        pool.monitor.unlock()
        pool.perform(aftermath)
        continue
      }
      var due = pool.scheduler.nextDue
      if let time = pool.callbackDue {
        if time <= now {
          let aftermath = pool.giveUpCallback(now)
          pool.monitor.unlock()
          pool.perform(aftermath)
          continue
        }
        due = min(due ?? .max, time)
      }
      for work in going {
        if let time = work.work.due { due = min(due ?? .max, time) }
      }
      isAsleep = true
      wakeTime = due ?? .max
      let isClosing = isClosing && going.isEmpty
      pool.monitor.unlock()
      return (due, isClosing)
    }
  }

  private func sleep(until due: Int64?) {
    var interests = ([descriptor] + going.map { $0.work.descriptor }).map {
      wpl_interest(descriptor: $0, writes: 0, is_ready: 0, can_write: 0)
    }
    wpl_wait(&interests, Int32(interests.count), due ?? -1)
    if interests[0].is_ready != 0 { wpl_call_take(descriptor) }
    let now = Clock.now
    var ended: [(Going, JobOutcome)] = []
    for (index, work) in going.enumerated() {
      let isDue = work.work.due.map { $0 <= now } ?? false
      guard interests[index + 1].is_ready != 0 || isDue else { continue }
      if let outcome = work.work.advance(now: now) { ended.append((work, outcome)) }
    }
    for (work, outcome) in ended { finish(work, outcome) }
  }

  private func finish(_ work: Going, _ outcome: JobOutcome) {
    going.removeAll { $0.context === work.context }
    _ = pool.finish(work.context, outcome, takesNext: false)
  }

  private func run(_ errand: Errand) {
    switch errand {
    case .begin(let job, let attempt, let slot):
      let context = pool.locked { pool.makeContext(job, attempt, slot, nil) }
      guard let context, case .detached(let work) = context.work.work else { return }
      work.wake = { [unowned(unsafe) self] in call() }
      let new = Going(context: context, work: work)
      going.append(new)
      if let outcome = work.begin(context) { finish(new, outcome) }
    case .stop(let job):
      going.first { $0.context.job == job }?.work.stop(now: Clock.now)
    case .kill(let job):
      going.first { $0.context.job == job }?.work.kill(now: Clock.now)
    }
  }
}
