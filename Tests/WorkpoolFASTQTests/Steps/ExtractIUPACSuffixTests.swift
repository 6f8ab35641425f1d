// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExtractIUPACSuffixTests {
  @Test(
    "the longest end that is a beginning",
    arguments: [
      ("TTACG", "read1:2-5"), ("TTACGA", ""), ("ACGTT", "read1:0-5"), ("TAC", "read1:1-3"),
      ("A", ""), ("", ""),
    ])
  func finds(sequence: String, expected: String) throws {
    let run = try RecipeRun(
      [
        "ExtractIUPACSuffix search=ACGTT min_length=2 max_mismatches=0 out_label=t",
        "StoreTagLocationInComment in_label=t",
      ], blocks: [[record("r", sequence)]])
    #expect(run.reads[0].split(separator: " ")[0].dropFirst(13) == expected[...])
  }
}
