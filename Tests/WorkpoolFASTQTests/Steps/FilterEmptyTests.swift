// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FilterEmptyTests {
  static let first = record("a", "") + record("b", "A") + record("c", "") + record("d", "C")
  static let second = record("a", "") + record("b", "") + record("c", "G") + record("d", "T")

  @Test(
    "reads without a base in the segments named are dropped from all",
    arguments: [("read1", "bd"), ("read2", "cd"), ("all", "bcd"), ("All", "bcd")])
  func drops(segment: String, names: String) throws {
    let run = try RecipeRun(
      ["FilterEmpty segment=\(segment)"], segments: ["read1", "read2"],
      blocks: [[Self.first, Self.second]])
    for output in run.outputs {
      #expect(
        output.split(separator: "\n").filter { $0.hasPrefix("@") }.joined()
          == names.map { "@\($0)" }.joined())
    }
  }

  @Test("reads dropped before stay dropped")
  func stays() throws {
    let run = try RecipeRun(["Skip n=2", "FilterEmpty"], blocks: [[Self.first]])
    #expect(run.output == record("d", "C"))
    #expect(run.counters[1].readsIn == 2 && run.counters[1].readsOut == 1)
  }
}
