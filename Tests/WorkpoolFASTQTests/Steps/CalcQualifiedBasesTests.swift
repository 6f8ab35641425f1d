// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CalcQualifiedBasesTests {
  static let use = "FilterByNumericTag in_label=x min_value=0 keep_or_remove=keep"

  @Test(
    "bytes are compared as numbers",
    arguments: [
      ("above", 2), ("worse", 2), (">", 2), ("gt", 2),
      ("below", 1), ("better", 1), ("<", 1), ("lt", 1),
      ("above_or_equal", 5), ("WorseOrEqual", 5), (">=", 5), ("gte", 5),
      ("below-or-equal", 4), ("better_or_equal", 4), ("<=", 4), ("lte", 4.0),
    ])
  func compares(word: String, expected: Double) throws {
    for key in ["operator", "op"] {
      let run = try RecipeRun(
        ["CalcQualifiedBases threshold=C \(key)='\(word)' out_label=x", Self.use],
        blocks: [[record("r", "ACGTAC", "BCCCDE") + record("e", "")]])
      #expect(run.values == [expected, 0])
    }
  }

  @Test(
    "thresholds at the ends of the byte range count none or all",
    arguments: [("<", 0, 0), (">=", 0, 2), (">", 255, 0), ("<=", 255, 2.0)])
  func ends(word: String, threshold: Int, expected: Double) throws {
    let run = try RecipeRun(
      ["CalcQualifiedBases threshold=\(threshold) op='\(word)' out_label=x", Self.use],
      blocks: [[record("r", "AC", "!~")]])
    #expect(run.values == [expected])
  }

  @Test("segments are summed")
  func sums() throws {
    let run = try RecipeRun(
      ["CalcQualifiedBases threshold=67 op='>' segment=all out_label=x", Self.use],
      segments: ["read1", "read2"],
      blocks: [[record("r", "AC", "DE"), record("r", "ACG", "FAB")]])
    #expect(run.values == [3])
  }
}
