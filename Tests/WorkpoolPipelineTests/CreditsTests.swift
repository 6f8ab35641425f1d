// SPDX-License-Identifier: MIT
import Testing

@testable import WorkpoolPipeline

extension EngineTests {
  /// The protocol of places, with the arithmetic of `CreditState`: every order of its atomic steps.
  @Suite struct CreditsTests {
    @Test("limit and free places are told apart, also when there is debt")
    func decoding() {
      for limit in [1, 2, 100, 65_536] {
        for taken in [0, 1, 2, 65_536, 200_000] {
          let state = CreditState(CreditState(limit: limit).word - Int64(taken))
          #expect(state.limit == limit && state.free == limit - taken && state.claimed == taken)
          for other in [1, 7, 65_536] {
            let changed = state.with(limit: other)
            #expect(changed.limit == other && changed.claimed == taken)
          }
        }
      }
    }

    @Test("submitters wait for a place, come in and give up; limits change: nobody is forgotten")
    func submitters() {
      for limit in 1...3 {
        for changes in [[], [1], [2], [3], [1, 3], [3, 1], [2, 1]] {
          for quitters in 0...1 {
            var start = SubmitModel(
              limit: limit, changes: changes, quitters: quitters, submitters: 3)
            let states = explore(&start)
            #expect(states > 20)
          }
        }
      }
    }

    @Test("the source lays the baton down and gets it back whatever comes between")
    func source() {
      for limit in 1...3 {
        for changes in [[], [1], [2], [3], [1, 2], [3, 1]] {
          var start = SourceModel(limit: limit, changes: changes, blocks: 3)
          let states = explore(&start)
          #expect(states > 20)
        }
      }
    }

    /// Visits every state that some order of steps leads to.
    private func explore<M: Model>(_ start: inout M) -> Int {
      var seen: Set<M> = [start]
      var open = [start]
      while let state = open.popLast() {
        var isStuck = true
        for thread in 0..<state.threadCount {
          var next = state
          guard next.step(thread) else { continue }
          isStuck = false
          if seen.insert(next).inserted { open.append(next) }
        }
        if isStuck && !state.isComplete {
          Issue.record("stuck: \(state)")
          return seen.count
        }
      }
      return seen.count
    }
  }
}

private protocol Model: Hashable {
  var threadCount: Int { get }
  /// Does the next atomic step of a thread. Returns false if it has none at present.
  mutating func step(_ thread: Int) -> Bool
  var isComplete: Bool { get }
}

extension CreditState: Hashable {
  public func hash(into hasher: inout Hasher) { hasher.combine(word) }
}

/// Submitters, each of which brings a block that leaves later; threads that change the limit.
private struct SubmitModel: Model {
  enum Step: Hashable {
    case take, register, look, asleep, inFlight, leave, wake, change, done
  }
  var credits: CreditState
  var steps: [Step]
  var waiting = 0
  var inFlight = 0
  let changes: [Int]
  let quitters: Int

  init(limit: Int, changes: [Int], quitters: Int, submitters: Int) {
    credits = CreditState(limit: limit)
    self.changes = changes
    self.quitters = quitters
    steps = Array(repeating: .take, count: submitters) + changes.map { _ in .change }
  }

  var threadCount: Int { steps.count }
  var isComplete: Bool {
    steps.allSatisfy { $0 == .done } && waiting == 0 && inFlight == 0
      && credits.free == credits.limit
  }

  mutating func step(_ thread: Int) -> Bool {
    switch steps[thread] {
    case .take:
      let old = credits
      credits = CreditState(old.word - CreditState.one)
      if old.free > 0 { enter(thread) } else { steps[thread] = .register }
    case .register:
      waiting += 1
      steps[thread] = .look
    case .look:  // looking and falling asleep is one step: both happen under the lock
      if credits.admits(waiting: waiting) {
        waiting -= 1
        enter(thread)
      } else if thread < quitters {
        waiting -= 1
        credits = CreditState(credits.word + 1)
        steps[thread] = .done
      } else {
        steps[thread] = .asleep
      }
    case .inFlight:
      inFlight -= 1
      steps[thread] = .leave
    case .leave:
      credits = CreditState(credits.word + 1)
      steps[thread] = .wake
    case .change:
      credits = credits.with(limit: changes[thread - (steps.count - changes.count)])
      steps[thread] = .wake
    case .wake:
      for other in steps.indices where steps[other] == .asleep { steps[other] = .look }
      steps[thread] = .done
    case .asleep, .done:
      return false
    }
    return true
  }

  private mutating func enter(_ thread: Int) {
    inFlight += 1
    #expect(inFlight <= credits.limit, "more blocks in flight than the limit")
    steps[thread] = .inFlight
  }
}

/// One source, whose blocks leave on threads of their own; threads that change the limit.
private struct SourceModel: Model {
  enum Step: Hashable {
    case take, layDown, call, waits  // the source
    case notYet, inFlight, leave, change  // blocks, and those who change the limit
    case lookAtBaton, lookAtCredits(UInt32), move(UInt32), done
  }
  var credits: CreditState
  var baton = Baton.held
  var parkings: UInt32 = 0
  var steps: [Step]
  var issued = 0
  var inFlight = 0
  let changes: [Int]

  init(limit: Int, changes: [Int], blocks: Int) {
    credits = CreditState(limit: limit)
    self.changes = changes
    steps = [.take] + Array(repeating: .notYet, count: blocks) + changes.map { _ in .change }
  }

  var threadCount: Int { steps.count }
  private var blocks: Int { steps.count - 1 - changes.count }
  var isComplete: Bool {
    steps.allSatisfy { $0 == .done } && inFlight == 0 && credits.free == credits.limit
  }

  mutating func step(_ thread: Int) -> Bool {
    switch steps[thread] {
    case .take:
      let old = credits
      credits = CreditState(old.word - CreditState.one)
      if old.free > 0 { enter() } else { steps[0] = .layDown }
    case .layDown:
      parkings += 1
      baton = Baton.laidDown(Baton.noPlace, parkings)
      steps[0] = .lookAtBaton
    case .waits:
      guard baton == Baton.prepaid else { return false }
      baton = Baton.held
      enter()
    case .call:
      steps[1 + issued] = .inFlight
      issued += 1
      steps[0] = issued == blocks ? .done : .take
    case .inFlight:
      inFlight -= 1
      steps[thread] = .leave
    case .leave:
      let old = credits
      credits = CreditState(old.word + 1)
      steps[thread] = old.free < 0 ? .lookAtBaton : .done
    case .change:
      credits = credits.with(limit: changes[thread - 1 - blocks])
      steps[thread] = .lookAtBaton
    case .lookAtBaton:
      if Baton.state(baton) == Baton.noPlace {
        steps[thread] = .lookAtCredits(baton)
      } else {
        end(thread)
      }
    case .lookAtCredits(let seen):
      if credits.admits(waiting: 1) { steps[thread] = .move(seen) } else { end(thread) }
    case .move(let seen):
      if baton == seen { baton = Baton.prepaid }
      end(thread)
    case .notYet, .done:
      return false
    }
    return true
  }

  private mutating func end(_ thread: Int) { steps[thread] = thread == 0 ? .waits : .done }

  private mutating func enter() {
    inFlight += 1
    steps[0] = .call
  }
}
