// SPDX-License-Identifier: MIT
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

/// The value that decides whose turn it is, with workers that are numbers and time that is counted.
@Suite struct FairSharesTests {
  struct Group {
    var account = FairShares.Account()
    let weight: UInt32
    /// Length of a slice, ns.
    var slice: Int64 = 1_000_000
    var block: Int64 = 100_000
    var hasWork = true
    /// Of so many looks at the group while it has workers one finds nothing; 0: none.
    var hides: UInt64 = 0
    var workerTime: Int64 = 0
  }

  struct Simulation {
    var shares = FairShares()
    var groups: [Group]
    /// Until when each worker is inside which group.
    var workers: [(until: Int64, group: Int?)]
    var now: Int64 = 0
    var random = SeededRandom(seed: 5)

    init(_ groups: [Group], workers: Int) {
      self.groups = groups
      self.workers = Array(repeating: (0, nil), count: workers)
    }

    mutating func run(until end: Int64) {
      while true {
        guard let next = workers.indices.min(by: { workers[$0].until < workers[$1].until }),
          workers[next].until < end
        else { return }
        now = workers[next].until
        if let group = workers[next].group { leave(group) }
        workers[next] = enter()
      }
    }

    private mutating func leave(_ group: Int) {
      shares.charge(&groups[group].account, weight: groups[group].weight, now: now)
      groups[group].account.workerLeaves()
      if groups[group].account.workersInside == 0 && !groups[group].hasWork {
        groups[group].account.isResting = true
      }
    }

    private mutating func enter() -> (Int64, Int?) {
      shares.weights = groups.reduce(0) { $0 + UInt64($1.weight) }
      var (best, busy): (Int?, FairShares.Account?) = (nil, nil)
      for index in groups.indices where groups[index].hasWork {
        let hides = groups[index].hides
        if hides > 0 && groups[index].account.workersInside > 0 && random.chance(Int(hides)) {
          shares.charge(&groups[index].account, weight: groups[index].weight, now: now)
          busy = groups[index].account
          continue
        }
        shares.update(&groups[index].account, weight: groups[index].weight, now: now)
        if best.map({ shares.isBefore(groups[index].account, groups[$0].account) }) ?? true {
          best = index
        }
      }
      guard let best else { return (now + 10_000, nil) }
      // A block at least, and as many as fit.
      let end = shares.end(ofSliceFor: groups[best].account, busy: busy, now: now)
      let isBrief = end - now < FairShares.slice
      let length = isBrief ? min(groups[best].slice, groups[best].block) : groups[best].slice
      shares.serve(groups[best].account)
      shares.charge(&groups[best].account, weight: groups[best].weight, now: now)
      groups[best].account.workerEnters()
      groups[best].workerTime += length
      return (now + length, best)
    }

    /// Worker time of each group since `before`.
    func times(since before: [Int64]) -> [Int64] {
      zip(groups, before).map { $0.workerTime - $1 }
    }
    var times: [Int64] { groups.map(\.workerTime) }
  }

  static let second: Int64 = 1_000_000_000

  static func isWithin15Percent(_ times: [Int64], _ weights: [UInt32]) -> Bool {
    let sum = Double(times.reduce(0, +))
    let all = Double(weights.reduce(0, +))
    return zip(times, weights).allSatisfy { time, weight in
      let share = Double(weight) / all
      return abs(Double(time) / sum - share) <= 0.15 * share
    }
  }

  @Test("time is shared by weight, within 15 % over a second", arguments: [1, 2, 3, 8])
  func byWeight(workers: Int) {
    let choices: [[UInt32]] = [
      [1, 1], [3, 1], [1, 3], [1, 1, 1], [5, 2, 1], [10, 1], [7, 7, 1, 1],
    ]
    for weights in choices {
      for slices in [[1_000_000], [1_000_000, 1_700_000], [2_000_000, 300_000, 1_000_000]] {
        let groups = weights.enumerated().map { index, weight in
          Group(weight: weight, slice: Int64(slices[index % slices.count]))
        }
        var simulation = Simulation(groups, workers: workers)
        var before = simulation.times
        for second in 1...2 {
          simulation.run(until: Int64(second) * Self.second)
          let times = simulation.times(since: before)
          #expect(Self.isWithin15Percent(times, weights), "\(weights) \(slices): \(times)")
          before = simulation.times
        }
      }
    }
  }

  @Test("a group that now and then has nothing for one more worker loses no share to others")
  func hidden() {
    for hides in [2, 3, 10] as [UInt64] {
      var simulation = Simulation(
        [Group(weight: 3, hides: hides), Group(weight: 1, slice: 1_100_000)], workers: 2)
      simulation.run(until: Self.second)
      let times = simulation.times
      #expect(Self.isWithin15Percent(times, [3, 1]), "one of \(hides): \(times)")
    }
  }

  @Test("nobody starves, whatever the weights and however long its callbacks are")
  func noStarvation() {
    for slice in [1_000_000, 100_000_000, 5_000_000_000] as [Int64] {
      for workers in [1, 2, 8] {
        var simulation = Simulation(
          [Group(weight: 1, slice: slice), Group(weight: 1000)], workers: workers)
        var before = simulation.times
        for period in 1...5 {
          simulation.run(until: Int64(period) * (slice + 4 * Self.second))
          let times = simulation.times(since: before)
          #expect(times.allSatisfy { $0 > 0 }, "\(slice): \(times)")
          before = simulation.times
        }
      }
    }
  }

  @Test("a group that had nothing to do has saved nothing up", arguments: [1, 2, 8])
  func noCredit(workers: Int) {
    var simulation = Simulation([Group(weight: 1), Group(weight: 1)], workers: workers)
    simulation.groups[1].hasWork = false
    simulation.run(until: 5 * Self.second)
    #expect(simulation.groups[1].workerTime == 0)
    simulation.groups[1].hasWork = true
    let before = simulation.times
    simulation.run(until: 6 * Self.second)
    #expect(Self.isWithin15Percent(simulation.times(since: before), [1, 1]))
  }

  @Test("what was before there was somebody to share with is not charged")
  func restart() {
    var shares = FairShares()
    var old = FairShares.Account()
    old.workerEnters()
    old.restart(3600 * Self.second)
    shares.update(&old, weight: 1, now: 3600 * Self.second + 5000)
    #expect(old.virtualTime == 5000)
    shares.serve(old)
    #expect(shares.clock == 5000)
    var new = FairShares.Account()
    shares.update(&new, weight: 1, now: 3600 * Self.second + 5000)
    #expect(new.virtualTime == 5000)
  }

  @Test("every nanosecond is charged, also at large weights; virtual times wrap round")
  func exact() {
    let shares = FairShares()
    var account = FairShares.Account()
    account.workerEnters()
    account.restart(0)
    for now in 1...10_000 { shares.charge(&account, weight: 1000, now: Int64(now)) }
    #expect(account.virtualTime == 10)
    account.workerLeaves()
    shares.charge(&account, weight: 1000, now: 1_000_000)
    #expect(account.virtualTime == 10)

    var ahead = FairShares.Account()
    var behind = FairShares.Account()
    for _ in 0..<3 {
      ahead.workerEnters()
      ahead.restart(0)
      shares.charge(&ahead, weight: 1, now: .max)
    }
    // 6 times half of the range: round the end, and no trap.
    shares.update(&behind, weight: 1, now: 0)
    #expect(shares.isBefore(ahead, behind) != shares.isBefore(behind, ahead))
  }

  @Test("a change of the weight counts from then on")
  func liveWeight() {
    var simulation = Simulation([Group(weight: 1), Group(weight: 1)], workers: 2)
    simulation.run(until: Self.second)
    simulation.groups = [
      Group(
        account: simulation.groups[0].account, weight: 4,
        workerTime: simulation.groups[0].workerTime),
      simulation.groups[1],
    ]
    let before = simulation.times
    simulation.run(until: 2 * Self.second)
    #expect(Self.isWithin15Percent(simulation.times(since: before), [4, 1]))
  }
}
