// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ReverseComplementTests {
  @Test(
    "letters are complemented with their case, qualities reversed",
    arguments: [
      ("", "", "", ""), ("A", "!", "T", "!"), ("AC", "!#", "GT", "#!"),
      ("ACGTU", "12345", "AACGT", "54321"), ("acgtu", "12345", "aacgt", "54321"),
      ("RYSWKMBDHVN", "123456789:;", "NBDHVKMWSRY", ";:987654321"),
      ("ryswkmbdhvn", "123456789:;", "nbdhvkmwsry", ";:987654321"),
      ("A.-*x", "abcde", "x*-.T", "edcba"),
    ])
  func complements(sequence: String, quality: String, expected: String, reversed: String) throws {
    let run = try RecipeRun("ReverseComplement", record("r", sequence, quality))
    #expect(run.output == record("r", expected, reversed))
  }
}
