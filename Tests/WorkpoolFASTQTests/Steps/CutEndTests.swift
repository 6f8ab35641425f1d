// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CutEndTests {
  @Test(
    "n bases and qualities go at the end; a shorter read becomes empty",
    arguments: [
      (1, record("r", "ACG", "\"#$") + record("s", "")),
      (3, record("r", "A", "\"") + record("s", "")),
      (4, record("r", "") + record("s", "")),
      (Int.max, record("r", "") + record("s", "")),
    ])
  func cuts(n: Int, expected: String) throws {
    let input = record("r", "ACGT", "\"#$%") + record("s", "")
    #expect(try RecipeRun("CutEnd n=\(n)", input).output == expected)
  }

  @Test("cuts at both ends add up")
  func both() throws {
    let run = try RecipeRun(
      ["CutEnd n=1", "CutStart n=1"], blocks: [[record("r", "ACGT", "\"#$%")]])
    #expect(run.output == record("r", "CG", "#$"))
  }
}
