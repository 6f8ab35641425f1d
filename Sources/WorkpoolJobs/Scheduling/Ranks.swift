// SPDX-License-Identifier: MIT

/// Where jobs stand among those that are ready.
extension Scheduler {
  func rank(_ index: Int) -> Rank {
    guard options.usesPriorities else { return Rank(order: jobs[index].order) }
    var rank = Rank(priority: Int64(jobs[index].priority), order: jobs[index].order)
    if options.aging > 0 {
      // A job has gained a point at each multiple of `aging` since it was ready. The difference of two jobs
      // that wait does not change, so the points of all times are left out on both sides.
      rank.priority -= jobs[index].readyTime / options.aging
    }
    if options.followsCriticalPath { rank.path = jobs[index].path }
    if options.isDepthFirst { rank.depth = jobs[index].depth }
    return rank
  }

  private mutating func rankAgain(_ index: Int) {
    guard jobs[index].isReady else { return }
    removeFromReady(index)
    addToReady(index)
  }

  /// What follows from the graph for the ranks of these jobs, which are new, and of those around them.
  mutating func rankByGraph(_ indices: [Int]) {
    if options.isDepthFirst {
      for index in indices { deepen(index) }
    }
    if options.inheritsPriority {
      for index in indices { raise(index) }
    }
    if options.followsCriticalPath {
      for index in indices { jobs[index].path = jobs[index].spec.expectedNanoseconds }
      for index in indices.reversed() { lengthen(index) }
    }
  }

  /// A job is deeper than all that it needs.
  private mutating func deepen(_ start: Int) {
    var depth: Int32 = 1
    for need in jobs[start].needs { depth = max(depth, jobs[Int(need)].depth &+ 1) }
    jobs[start].depth = depth
    var changed = [start]
    while let index = changed.popLast() {
      for edge in jobs[index].dependents where jobs[Int(edge.job)].depth <= jobs[index].depth {
        jobs[Int(edge.job)].depth = jobs[index].depth &+ 1
        rankAgain(Int(edge.job))
        changed.append(Int(edge.job))
      }
    }
  }

  /// What a job needs is at least as urgent as itself.
  private mutating func raise(_ start: Int) {
    for edge in jobs[start].dependents {
      jobs[start].priority = max(jobs[start].priority, jobs[Int(edge.job)].priority)
    }
    var changed = [start]
    while let index = changed.popLast() {
      for need in jobs[index].needs {
        let other = Int(need)
        guard jobs[other].priority < jobs[index].priority, !jobs[other].state.isTerminal else {
          continue
        }
        jobs[other].priority = jobs[index].priority
        rankAgain(other)
        changed.append(other)
      }
    }
  }

  /// The path from a job to an end is its own time and the longest path of those that need it.
  private mutating func lengthen(_ start: Int) {
    var longest: Int64 = 0
    for edge in jobs[start].dependents {
      longest = max(longest, jobs[Int(edge.job)].path)
    }
    jobs[start].path = jobs[start].spec.expectedNanoseconds &+ longest
    var changed = [start]
    while let index = changed.popLast() {
      for need in jobs[index].needs {
        let other = Int(need)
        let path = jobs[other].spec.expectedNanoseconds &+ jobs[index].path
        guard jobs[other].path < path, !jobs[other].state.isTerminal else { continue }
        jobs[other].path = path
        rankAgain(other)
        changed.append(other)
      }
    }
  }
}
