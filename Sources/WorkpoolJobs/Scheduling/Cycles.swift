// SPDX-License-Identifier: MIT
import WorkpoolCore

extension Scheduler {
  /// - Parameter group: about to be accepted.
  /// - Throws: `cycle` if jobs would wait for each other, with the path.
  func refuseCycles(_ group: [(id: String, needs: [Need])]) throws(WorkpoolError) {
    var search = CycleSearch(self, group)
    if let cycle = search.run() {
      var text = "dependency cycle: "
      for id in cycle { text += id + " -> " }
      throw WorkpoolError(.cycle, text + (cycle.first ?? ""))
    }
  }

  /// Follows what jobs need, depth first, from every job of a group.
  ///
  /// Jobs that are there lead back into the group only where they wait for an id of it; if none does, they are
  /// not looked at.
  private struct CycleSearch {
    private let scheduler: Scheduler
    private let group: [(id: String, needs: [Need])]
    /// By job that is there: places in the group that it waits for.
    private var waiting: [Int: [Int]] = [:]
    /// Jobs of the group by place, then those that are there: on the path, or done.
    private var isDone: [Int: Bool] = [:]

    init(_ scheduler: Scheduler, _ group: [(id: String, needs: [Need])]) {
      self.scheduler = scheduler
      self.group = group
      if scheduler.awaited.isEmpty { return }
      for (place, job) in group.enumerated() {
        for other in scheduler.awaited[job.id] ?? [] {
          waiting[Int(other), default: []].append(place)
        }
      }
    }

    /// - Returns: the ids of a cycle, the one that was declared first leading.
    mutating func run() -> [String]? {
      if group.count == 1 && waiting.isEmpty {
        return group[0].needs.contains(.ofGroup(0)) ? [group[0].id] : nil
      }
      for place in group.indices where isDone[place] == nil {
        if let cycle = search(from: place) { return cycle }
      }
      return nil
    }

    private mutating func search(from start: Int) -> [String]? {
      var path: [(node: Int, needs: [Int], next: Int)] = [(start, needs(of: start), 0)]
      isDone[start] = false
      while let top = path.last {
        guard top.next < top.needs.count else {
          isDone[top.node] = true
          path.removeLast()
          continue
        }
        path[path.count - 1].next += 1
        let need = top.needs[top.next]
        if let done = isDone[need] {
          if done { continue }
          let cycle = path.drop { $0.node != need }.map { $0.node }
          return named(cycle)
        }
        isDone[need] = false
        path.append((need, needs(of: need), 0))
      }
      return nil
    }

    private func needs(of node: Int) -> [Int] {
      var found: [Int] = []
      if node < group.count {
        for need in group[node].needs {
          switch need {
          case .ofGroup(let place): found.append(place)
          case .known(let other): if !waiting.isEmpty { found.append(group.count + Int(other)) }
          case .unknown: break
          }
        }
        return found
      }
      let job = scheduler.jobs[node - group.count]
      if job.state.isTerminal { return [] }
      for need in job.needs { found.append(group.count + Int(need)) }
      found += waiting[node - group.count] ?? []
      return found
    }

    private func named(_ cycle: [Int]) -> [String] {
      func order(_ node: Int) -> UInt64 {
        node < group.count
          ? .max - UInt64(group.count - node)
          : scheduler.jobs[node - group.count].order
      }
      func id(_ node: Int) -> String {
        node < group.count ? group[node].id : scheduler.jobs[node - group.count].id
      }
      let first = cycle.indices.min { order(cycle[$0]) < order(cycle[$1]) } ?? 0
      return (0..<cycle.count).map { id(cycle[(first + $0) % cycle.count]) }
    }
  }
}
