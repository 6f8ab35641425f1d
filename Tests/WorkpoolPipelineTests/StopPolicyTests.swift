// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct StopPolicyTests {
    enum Event: Equatable { case stop, error }
    typealias Events = [[Event?]]  // [block][stage]

    /// The plain meaning: one block after the other through all stages, events as they are met.
    struct Reference {
      var ran: [[Bool]] = []  // [block][stage]
      var status = Status.ok
      var decision: (number: UInt64, stage: Int)?
      var errors: [(number: UInt64, stage: Int)] = []

      init(_ events: Events, stages: Int, seeAll: Set<Int>, collects: Bool, maxFailures: Int) {
        var cuts = Array(repeating: Int.max, count: stages)
        func lastSeeAll(_ stage: Int) -> Int { seeAll.filter { $0 <= stage }.max() ?? -1 }
        for (number, row) in events.enumerated() {
          var here = Array(repeating: false, count: stages)
          var isFailed = false
          for stage in 0..<stages where number <= cuts[stage] && !isFailed {
            here[stage] = true
            switch row[stage] {
            case .stop:
              for later in (lastSeeAll(stage) + 1)..<stages {
                cuts[later] = min(cuts[later], number)
              }
              if status == .ok {
                status = .stopped
                decision = (UInt64(number), stage)
              }
            case .error:
              isFailed = true
              errors.append((UInt64(number), stage))
              if status != .stageFailed {
                status = .stageFailed
                decision = (UInt64(number), stage)
              }
              if !collects || errors.count == maxFailures {
                for any in 0..<stages { cuts[any] = min(cuts[any], number - 1) }
              }
            case nil: break
            }
          }
          ran.append(here)
        }
      }
    }

    /// The same events as they happen in a parallel run that is ahead of itself: every event that any
    /// cut written before it does not forbid happens, in whatever order, and blocks retire in order.
    static func check(
      _ events: Events, order: [(number: Int, stage: Int)], stages: Int, seeAll: Set<Int>,
      collects: Bool, maxFailures: Int
    ) {
      let mask = seeAll.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
      let reference = Reference(
        events, stages: stages, seeAll: seeAll, collects: collects, maxFailures: maxFailures)
      // What the engine does: cuts at once, in the order of the schedule.
      var cuts = Array(repeating: Int64.max, count: stages)
      var happened: [Int: (stop: Int?, error: Int?)] = [:]
      for (number, stage) in order {
        if happened[number]?.error != nil || number > cuts[stage] { continue }
        guard let event = events[number][stage] else { continue }
        let first: Int
        switch event {
        case .stop:
          if happened[number]?.stop == nil { happened[number, default: (nil, nil)].stop = stage }
          first = StopPolicy.firstCut(byStopIn: stage, seeAllMask: mask)
          for later in first..<stages { cuts[later] = min(cuts[later], Int64(number)) }
        case .error:
          happened[number, default: (nil, nil)].error = stage
          if !collects {
            first = StopPolicy.firstCut(byErrorIn: stage, seeAllMask: mask)
            for later in first..<stages { cuts[later] = min(cuts[later], Int64(number) - 1) }
          }
        }
      }
      var policy = StopPolicy(
        stageCount: stages, seeAllMask: mask, isCollecting: collects,
        maxFailures: UInt64(maxFailures))
      var valid: [UInt64] = []
      for number in 0..<events.count {
        let what = happened[number]
        if what?.stop == nil && what?.error == nil { continue }
        let retired = policy.retire(
          UInt64(number), stopStage: what?.stop, errorStage: what?.error, errorCode: -1000)
        if retired.errorIsValid { valid.append(UInt64(number)) }
      }
      let label = "\(events) order \(order) see-all \(seeAll) collects \(collects) \(maxFailures)"
      #expect(policy.status == reference.status, "\(label)")
      #expect(policy.decision?.number == reference.decision?.number, "\(label)")
      #expect(policy.decision?.stage == reference.decision?.stage, "\(label)")
      #expect(valid == reference.errors.map(\.number), "\(label)")
      #expect(policy.failures == UInt64(reference.errors.count), "\(label)")
    }

    static func permutations<T>(_ values: [T]) -> [[T]] {
      guard let first = values.first else { return [[]] }
      return permutations(Array(values.dropFirst())).flatMap { rest in
        (0...rest.count).map { Array(rest[..<$0]) + [first] + Array(rest[$0...]) }
      }
    }

    /// A block meets its stages in order, whatever happens to other blocks.
    static func isPossible(_ order: [(number: Int, stage: Int)]) -> Bool {
      var last: [Int: Int] = [:]
      for (number, stage) in order {
        if let before = last[number], before > stage { return false }
        last[number] = stage
      }
      return true
    }

    @Test("the outcome is the serial one for every order of up to three events")
    func everyOrder() {
      let stages = 3
      let places = (0..<3).flatMap { number in (0..<stages).map { (number: number, stage: $0) } }
      var cases = 0
      func visit(_ chosen: [(number: Int, stage: Int)]) {
        for kinds in 0..<(1 << chosen.count) {
          var events = Events(repeating: Array(repeating: nil, count: stages), count: 4)
          for (index, place) in chosen.enumerated() {
            events[place.number][place.stage] = kinds >> index & 1 == 0 ? .stop : .error
          }
          for order in Self.permutations(chosen) where Self.isPossible(order) {
            for seeAll in [[], [0], [1], [2], [0, 1], [1, 2]] as [Set<Int>] {
              for (collects, most) in [(false, 0), (true, 0), (true, 1), (true, 2)] {
                Self.check(
                  events, order: order, stages: stages, seeAll: seeAll, collects: collects,
                  maxFailures: most)
                cases += 1
              }
            }
          }
        }
      }
      for (a, first) in places.enumerated() {
        visit([first])
        for (b, second) in places.enumerated() where b > a {
          visit([first, second])
          for (c, third) in places.enumerated() where c > b { visit([first, second, third]) }
        }
      }
      #expect(cases > 50_000)
    }

    @Test("a stop cuts behind the last see-all stage up to it, an error behind the one before it")
    func reach() {
      #expect(StopPolicy.firstCut(byStopIn: 3, seeAllMask: 0) == 0)
      #expect(StopPolicy.firstCut(byErrorIn: 3, seeAllMask: 0) == 0)
      #expect(StopPolicy.firstCut(byStopIn: 3, seeAllMask: 0b1010) == 4)
      #expect(StopPolicy.firstCut(byErrorIn: 3, seeAllMask: 0b1010) == 2)
      #expect(StopPolicy.firstCut(byErrorIn: 0, seeAllMask: .max) == 0)
      #expect(StopPolicy.firstCut(byStopIn: 63, seeAllMask: 1 << 63) == 64)
      #expect(StopPolicy.firstCut(byErrorIn: 63, seeAllMask: 1 << 63 | 1 << 62) == 63)
      #expect(StopPolicy.firstCut(byStopIn: 62, seeAllMask: 1 << 63) == 0)
    }

    @Test("an error of a finish callback comes after every block and outranks a stop only")
    func finish() {
      var policy = StopPolicy(stageCount: 3, seeAllMask: 0, isCollecting: false, maxFailures: 0)
      _ = policy.retire(4, stopStage: 1, errorStage: nil, errorCode: 0)
      policy.finishFailed(stage: 2, code: -5, after: 9)
      policy.finishFailed(stage: 1, code: -6, after: 9)
      #expect(policy.status == .stageFailed && policy.errorCode == -5 && policy.failures == 2)
      #expect(policy.decision?.number == 9 && policy.decision?.stage == 2)
    }
  }
}
