// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct TagPlacesTests {
  private func location(_ steps: [String], _ read: String) throws -> String {
    let run = try RecipeRun(
      ["ExtractIUPAC search=CG anchor=anywhere max_mismatches=0 out_label=t"] + steps
        + ["StoreTagLocationInComment in_label=t", "StoreTagInComment in_label=t"],
      blocks: [[record("r", read)]])
    return String(run.reads[0].split(separator: " ")[0].dropFirst(13))
  }

  @Test(
    "regions follow edits; what is cut into is lost, its copy stays",
    arguments: [
      ("CutStart n=1", "read1:1-3|t=CG"), ("CutStart n=2", "read1:0-2|t=CG"),
      ("CutStart n=3", "|t=CG"), ("CutEnd n=1", "read1:2-4|t=CG"), ("CutEnd n=3", "|t=CG"),
      ("Truncate n=4", "read1:2-4|t=CG"), ("Truncate n=3", "|t=CG"),
      ("ReverseComplement", "read1:2-4|t=CG"), ("Lowercase target=tag:t", "read1:2-4|t=cg"),
      ("Lowercase target=read1", "read1:2-4|t=CG"),
    ])
  func follows(step: String, expected: String) throws {
    #expect(try location([step], "AACGTT") == expected)
  }

  @Test("what has lost its place no longer follows")
  func lost() throws {
    let lengths = try RecipeRun(
      [
        "ExtractIUPAC search=ACG anchor=anywhere max_mismatches=0 out_label=t", "CutStart n=3",
        "ReverseComplement", "StoreTagInComment in_label=t",
        "EvalExpression expr=len_t result_type=numeric out_label=n", "StoreTagInComment in_label=n",
        "ConvertRegionsToLength in_label=t out_label=m", "StoreTagInComment in_label=m",
      ], blocks: [[record("r", "AAACGTT")]])
    #expect(lengths.reads == ["r|t=ACG|n=0|m=3 AACG"])
  }

  @Test("an end cut tests the reads that its condition passes over too")
  func spared() throws {
    #expect(
      try location(
        [
          "EvalExpression expr=0 result_type=bool out_label=no", "CutStart n=1 if_tag=!no",
          "CutEnd n=9 if_tag=no",
        ], "AACGTT") == "read1:1-3|t=CG")
  }
}
