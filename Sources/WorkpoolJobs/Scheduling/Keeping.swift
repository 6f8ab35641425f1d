// SPDX-License-Identifier: MIT
import WorkpoolCore

/// How long finished jobs are kept, and limits that change.
extension Scheduler {
  /// Nobody will ask for the job any more. It goes when no other one leads back to it.
  /// - Throws: `busy` while it is not terminal, `notFound`.
  public mutating func release(_ job: JobHandle) throws(WorkpoolError) {
    guard let index = index(job), !jobs[index].isReleased else {
      throw WorkpoolError(.notFound, "there is no such job")
    }
    guard jobs[index].state.isTerminal else {
      throw WorkpoolError(.busy, "job \(jobs[index].id) has not ended")
    }
    release(index)
  }

  private mutating func release(_ index: Int) {
    jobs[index].isReleased = true
    byID[jobs[index].id] = nil
    if jobs[index].holds == 0 { forget(index) }
  }

  /// For a thread that waits for it: it stays known until `letGo`.
  public mutating func hold(_ job: JobHandle) -> Bool {
    guard let index = index(job) else { return false }
    jobs[index].holds += 1
    return true
  }

  public mutating func letGo(_ job: JobHandle) {
    if let index = index(job) { letGo(index) }
  }

  mutating func letGo(_ index: Int) {
    jobs[index].holds -= 1
    if jobs[index].holds == 0 && jobs[index].isReleased { forget(index) }
  }

  /// It is terminal from now on: older ones may have to go.
  mutating func retain(_ index: Int) {
    guard options.retainFinished > 0 else { return }
    finished.append(handle(index))
    while finished.count - firstFinished > options.retainFinished {
      let oldest = finished[firstFinished]
      firstFinished += 1
      if let old = self.index(oldest), !jobs[old].isReleased { release(old) }
    }
    if firstFinished > 1024 && firstFinished > finished.count / 2 {
      finished.removeFirst(firstFinished)
      firstFinished = 0
    }
  }

  private static let noSpec = SharedSpec(JobSpec())

  private mutating func forget(_ index: Int) {
    actions.append(.forgotten(handle(index)))
    let link = jobs[index].link
    jobs[index] = ScheduledJob(
      id: "", shared: Self.noSpec, generation: jobs[index].generation, order: 0, shape: 0,
      memory: 0,
      priority: 0, submitTime: 0)
    isUsed[index] = false
    freeIndices.append(Int32(index))
    if link >= 0 { letGo(Int(link)) }
  }

  /// - Throws: `unsatisfiable` if a job that has not started could never start then; nothing has changed.
  public mutating func setLimits(_ limits: JobLimits, at now: Int64) throws(WorkpoolError) {
    var changed = resources
    changed.set(limits)
    var newShapes: [(job: Int, shape: Resources.Shape, memory: UInt64)] = []
    for index in jobs.indices where isUsed[index] && !jobs[index].state.isTerminal {
      let (shape, memory) = try changed.shape(
        of: jobs[index].spec, id: jobs[index].id, mayBeAlone: options.runsOversizedAlone)
      if jobs[index].state == .running { continue }
      if shape != shapes[Int(jobs[index].shape)].shape || memory != jobs[index].memory {
        newShapes.append((index, shape, memory))
      }
    }
    enter(now)
    resources = changed
    options.limits = limits
    for (index, shape, memory) in newShapes { reshape(index, shape, memory) }
    finishStep()
  }

  private mutating func reshape(_ index: Int, _ shape: Resources.Shape, _ memory: UInt64) {
    let isReady = jobs[index].isReady
    removeFromReady(index)
    jobs[index].shape = shapeIndex(shape)
    jobs[index].memory = memory
    if isReady { addToReady(index) }
  }
}
