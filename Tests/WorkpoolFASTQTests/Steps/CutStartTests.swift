// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CutStartTests {
  @Test(
    "n bases and qualities go at the start; a shorter read becomes empty",
    arguments: [
      (1, record("r", "CGT", "#$%") + record("s", "", "")),
      (3, record("r", "T", "%") + record("s", "")),
      (4, record("r", "") + record("s", "")),
      (Int.max, record("r", "") + record("s", "")),
    ])
  func cuts(n: Int, expected: String) throws {
    let input = record("r", "ACGT", "\"#$%") + record("s", "")
    #expect(try RecipeRun("CutStart n=\(n)", input).output == expected)
  }

  @Test("only the segment named is cut")
  func oneSegment() throws {
    let run = try RecipeRun(
      ["cut_start N=2 Segment=read2"], segments: ["read2", "read1"],
      blocks: [[records(0..<1), records(0..<1)]])
    #expect(run.outputs == [records(0..<1), record("r0", "GT")])
    #expect(run.counters[1].basesIn == 8 && run.counters[1].basesOut == 6)
  }
}
