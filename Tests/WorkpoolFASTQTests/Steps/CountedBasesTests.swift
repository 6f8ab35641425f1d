// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CountedBasesTests {
  private static let cases: [(step: String, sequence: String, expected: Double)] = [
    ("CalcNCount", "ACNnG", 2), ("CalcNCount", "", 0), ("CalcGCContent", "GcAT", 50),
    ("CalcGCContent", "GNNA", 50), ("CalcGCContent", "NN", 0),
    ("CalcBaseContent bases_to_count=A", "AaCC", 50),
    ("CalcBaseContent bases_to_count=A bases_to_ignore=C", "AaCCTT", 50),
    ("CalcBaseContent bases_to_count=AC bases_to_ignore=C", "AaCCTT", 50),
    ("CalcBaseContent bases_to_count=AT relative=false", "AaCCt", 3),
    ("CalcComplexity", "AAATT", 0.25), ("CalcComplexity", "A", 0), ("CalcComplexity", "", 0),
    ("CalcComplexity", "ACCAA", 0.5),
  ]

  @Test("numbers and percentages of bases, in either case", arguments: cases)
  func counts(step: String, sequence: String, expected: Double) throws {
    let run = try RecipeRun(
      [step + " out_label=n", "ForgetTag in_label=n"], blocks: [[record("r", sequence)]])
    #expect(abs(run.values[0] - expected) < 1e-12)
  }

  @Test("ignored bases need a percentage")
  func refused() {
    #expect(
      errorText {
        try RecipeRun(
          "CalcBaseContent bases_to_count=A bases_to_ignore=N relative=false out_label=n", "")
      }.contains("bases_to_ignore needs relative = true"))
  }
}
