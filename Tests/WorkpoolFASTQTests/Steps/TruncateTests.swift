// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct TruncateTests {
  @Test(
    "the first n bases stay",
    arguments: [
      (0, record("r", "") + record("s", "")),
      (1, record("r", "A", "\"") + record("s", "")),
      (4, record("r", "ACGT", "\"#$%") + record("s", "")),
      (Int.max, record("r", "ACGT", "\"#$%") + record("s", "")),
    ])
  func truncates(n: Int, expected: String) throws {
    let input = record("r", "ACGT", "\"#$%") + record("s", "")
    #expect(try RecipeRun("Truncate n=\(n)", input).output == expected)
  }
}
