// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// Callbacks of a job pool as work for the workers of a pool, beside its pipelines.
///
/// Jobs that were started lie in a queue under the job pool's lock. A worker takes them one after the other
/// until there is none, or others want it; it tells the end of one and takes the next under the
/// same lock.
final class CallbackWorkers: @unchecked Sendable {
  struct Started {
    let job: JobHandle
    let attempt: Int32
    let slot: Int32
  }

  let pool: Pool
  /// Made for these jobs alone.
  let isOwn: Bool
  unowned(unsafe) let jobs: JobPool
  let link: PoolLink
  let group: UnsafeMutablePointer<WorkGroup>
  private let source: UnsafeMutablePointer<WorkSource>
  /// As many as `queue` has; read without the lock.
  let queued = Atomic<Int>(0)
  // Under the job pool's lock.
  var queue = Ring<Started>()
  /// What runs here now.
  var running: [JobContext] = []

  init(_ pool: Pool, isOwn: Bool, jobs: JobPool) throws(WorkpoolError) {
    guard let groupMemory = wpl_allocate_aligned(64, MemoryLayout<WorkGroup>.stride),
      let sourceMemory = wpl_allocate_aligned(64, MemoryLayout<WorkSource>.stride)
    else { throw WorkpoolError(.noMemory, "no memory for jobs on a pool") }
    self.pool = pool
    self.isOwn = isOwn
    self.jobs = jobs
    group = groupMemory.bindMemory(to: WorkGroup.self, capacity: 1)
    source = sourceMemory.bindMemory(to: WorkSource.self, capacity: 1)
    group.initialize(to: WorkGroup())
    link = PoolLink(pool, group: group)
    source.initialize(
      to: WorkSource(
        context: Unmanaged.passUnretained(self).toOpaque(), group: group,
        work: { context, seat, isSearching in
          CallbackWorkers.at(context).work(Int(seat), isSearching)
        },
        hasWork: { context in
          CallbackWorkers.at(context).queued.load(ordering: .sequentiallyConsistent) > 0
        },
        needsSentinel: { _ in false }, isStuck: { _ in false },
        dump: { context in CallbackWorkers.at(context).dump() }))
    pool.retain()
    link.attach(source)
  }

  private static func at(_ context: UnsafeMutableRawPointer) -> CallbackWorkers {
    Unmanaged<CallbackWorkers>.fromOpaque(context).takeUnretainedValue()
  }

  /// When nothing runs or is queued any more.
  func close() {
    link.detach(source)
    link.waitUntilLeft(source)
    pool.release()
    source.deinitialize(count: 1)
    group.deinitialize(count: 1)
    wpl_free(source)
    wpl_free(group)
    // What it was made for is gone, so nobody else uses it: this cannot fail on a thread of the host.
    if isOwn { try? pool.close() }
  }

  /// With the lock held.
  func append(_ started: Started) {
    queue.append(started)
    queued.wrappingAdd(1, ordering: .sequentiallyConsistent)
  }

  /// With the lock held.
  func takeFirst() -> Started? {
    guard let first = queue.popFirst() else { return nil }
    queued.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    return first
  }

  /// With the lock held.
  func take(where isWanted: (JobHandle) -> Bool) -> Started? {
    guard let found = queue.remove(where: { isWanted($0.job) }) else { return nil }
    queued.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    return found
  }

  /// Without the lock: if something lies there, somebody comes.
  func call() {
    if queued.load(ordering: .sequentiallyConsistent) > 0 { link.workAppeared() }
  }

  private func work(_ seat: Int, _ isSearching: Bool) -> Bool {
    var isSearching = isSearching
    var next = jobs.takeCallback(self)
    if next == nil { return isSearching }
    var cpu = CPUTime()
    while let context = next {
      if isSearching {
        isSearching = false
        if link.endSearch() {
          if link.sourceCount > 1 { link.wakeForOtherWork() } else { call() }
        }
      }
      let outcome = jobs.call(context, &cpu)
      next = jobs.finish(context, outcome, takesNext: !mustLeave(seat))
    }
    return isSearching
  }

  private func mustLeave(_ seat: Int) -> Bool {
    link.sourceCount > 1 && (link.isSurplus(seat: seat) || Clock.now >= link.sliceEnd(ofSeat: seat))
  }

  private func dump() -> String {
    let (names, waiting) = jobs.locked { (running.map { $0.id }, queue.count) }
    var text = "jobs: \(names.count) running, \(waiting) started and waiting for a worker\n"
    for name in names { text += "  job \(name) runs\n" }
    return text
  }
}
