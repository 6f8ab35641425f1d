// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CuckooFilterTests {
  private func hash(_ number: Int) -> UInt64 {
    var hasher = SipHash13()
    hasher.add(UInt64(number))
    return hasher.finish()
  }

  @Test("what was added is found, also when the filter has grown several times")
  func complete() throws {
    let filter = try CuckooFilter(capacity: 16, rate: 0.01, seed: 42)
    for number in 0..<2000 { try filter.insert(hash(number)) }
    #expect((0..<2000).allSatisfy { filter.contains(hash($0)) })
    #expect(filter.size > 2000)
    let wrong = (10_000..<20_000).count { filter.contains(hash($0)) }
    #expect(wrong < 400)
  }

  @Test("the same items in the same order give the same answers")
  func reproducible() throws {
    var answers: [[Bool]] = []
    for _ in 0..<2 {
      let filter = try CuckooFilter(capacity: 4, rate: 0.2, seed: 7)
      answers.append(try (0..<500).map { try filter.seen(hash($0 % 400)) })
    }
    #expect(answers[0] == answers[1])
    #expect(answers[0][400...].allSatisfy { $0 })
  }

  @Test("room for the reads that files of a size hold")
  func capacity() {
    var facts = InputFacts()
    #expect(facts.capacity(streams: 1) == 1 << 27)
    facts.bytes = 22_500
    facts.meanLength = 100
    #expect(facts.capacity(streams: 1) == 128)
    #expect(facts.capacity(streams: 3) == 64)
    #expect(facts.capacity(streams: 1, configured: 5) == 5)
    facts.isPacked = true
    #expect(facts.capacity(streams: 1) == 512)
  }
}
