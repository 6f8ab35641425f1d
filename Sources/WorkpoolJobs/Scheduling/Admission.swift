// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Who starts next.
extension Scheduler {
  /// Starts what fits, by rank. Others may start past the first one that does not fit, but no more than
  /// `bypassLimit` times; from then on nothing that takes what it lacks.
  mutating func admit() {
    guard !isPaused, checking == 0 || !options.waitsForChecks else { return }
    while resources.hasFreeSlot {
      let first = firstReady()
      guard first >= 0 else { return }
      let index = Int(first)
      let wanted = shapes[Int(jobs[index].shape)].shape
      if resources.fits(wanted, jobs[index].memory) {
        start(index)
        continue
      }
      let next = firstPast(index, wanted)
      guard next >= 0 else { return }
      jobs[index].bypassed += 1
      start(Int(next))
    }
  }

  /// The job that ranks before all others; −1: none is ready.
  private func firstReady() -> Int32 {
    var first: Int32 = -1
    for place in shapes.indices where !shapes[place].ready.isEmpty {
      let other = shapes[place].ready.first(in: nodes)
      if first < 0 || nodes[Int(other)].rank < nodes[Int(first)].rank { first = other }
    }
    return first
  }

  /// The first of those that fit and may start although `index` comes before them; −1: none.
  private func firstPast(_ index: Int, _ wanted: Resources.Shape) -> Int32 {
    let isHeld = Int(jobs[index].bypassed) >= options.bypassLimit
    let lacksMemory = jobs[index].memory > resources.freeMemory
    var first: Int32 = -1
    for (shape, ready) in shapes where !ready.isEmpty {
      guard resources.hasSlots(for: shape), resources.hasUnits(for: shape) else { continue }
      if isHeld && resources.takes(shape, what: wanted) { continue }
      let memory = isHeld && lacksMemory ? 0 : resources.freeMemory
      let other = ready.first(within: memory, in: nodes)
      guard other >= 0 else { continue }
      if first < 0 || nodes[Int(other)].rank < nodes[Int(first)].rank { first = other }
    }
    return first
  }

  mutating func addToReady(_ index: Int) {
    jobs[index].isReady = true
    shapes[Int(jobs[index].shape)].ready.insert(
      Int32(index), rank: rank(index), memory: jobs[index].memory, in: &nodes)
  }

  mutating func removeFromReady(_ index: Int) {
    guard jobs[index].isReady else { return }
    jobs[index].isReady = false
    shapes[Int(jobs[index].shape)].ready.remove(Int32(index), in: &nodes)
  }

  // MARK: Helping

  /// Starts a job that `awaited` depends on, or itself, on the slots of the running job `helper`, which
  /// waits for it. It must fit in everything else.
  /// - Returns: false if none can start now.
  public mutating func startToHelp(
    _ helper: JobHandle, awaited: JobHandle, at now: Int64
  ) -> Bool {
    guard !isPaused, let helper = index(helper), let target = index(awaited),
      jobs[helper].state == .running
    else { return false }
    enter(now)
    var best = -1
    for index in needed(by: target) where jobs[index].isReady {
      let shape = shapes[Int(jobs[index].shape)].shape
      guard jobs[index].spec.kind == .callback,
        shape.cpus <= shapes[Int(jobs[helper].shape)].shape.cpus, !shape.isAlone,
        resources.hasUnits(for: shape), jobs[index].memory <= resources.freeMemory
      else { continue }
      if best < 0 || nodes[index].rank < nodes[best].rank { best = index }
    }
    guard best >= 0 else { return false }
    start(best, borrowsSlots: true)
    finishStep()
    return true
  }

  /// Whether `job` waits, over any number of others, for `other` or for a job that waits for it.
  public func waits(_ job: JobHandle, for other: JobHandle) -> Bool {
    guard let from = index(job), let target = index(other) else { return false }
    return needed(by: from).contains(target)
  }

  /// The job and all that it needs and that are not terminal.
  private func needed(by start: Int) -> [Int] {
    var seen: Set<Int> = [start]
    var found = jobs[start].state.isTerminal ? [] : [start]
    var next = 0
    while next < found.count {
      let index = found[next]
      next += 1
      for need in jobs[index].needs {
        let other = Int(need)
        if !jobs[other].state.isTerminal && seen.insert(other).inserted { found.append(other) }
      }
    }
    return found
  }
}
