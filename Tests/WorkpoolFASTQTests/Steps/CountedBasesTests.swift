// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CountedBasesTests {
  @Test(
    "numbers and percentages of bases, in either case",
    arguments: [
      ("CalcNCount", "ACNnG", 2.0), ("CalcNCount", "", 0.0), ("CalcGCContent", "GcAT", 50.0),
      ("CalcGCContent", "GNNA", 50.0), ("CalcGCContent", "NN", 0.0),
      ("CalcBaseContent bases_to_count=A", "AaCC", 50.0),
      ("CalcBaseContent bases_to_count=A bases_to_ignore=C", "AaCCT", 200.0 / 3),
      ("CalcBaseContent bases_to_count=AC bases_to_ignore=C", "AaCCT", 200.0 / 3),
      ("CalcBaseContent bases_to_count=AT relative=false", "AaCCt", 3.0),
      ("CalcComplexity", "AAAT", 1.0 / 3), ("CalcComplexity", "A", 0.0),
      ("CalcComplexity", "", 0.0), ("CalcComplexity", "ACCA", 2.0 / 3),
    ])
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
