// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ConcatTagsTests {
  @Test(
    "regions are appended, texts joined",
    arguments: [
      ("a b", "merge_present", ["A_T", "T", ""]), ("a b", "set_missing", ["A_T", "", ""]),
      ("a n", "merge_present", ["A+r", "r", "r"]),
    ])
  func joins(labels: String, how: String, expected: [String]) throws {
    let list = labels.split(separator: " ").map { "'\($0)'" }.joined(separator: ",")
    let steps = [
      "ExtractIUPAC search=A anchor=left max_mismatches=0 out_label=a",
      "ExtractIUPAC search=T anchor=right max_mismatches=0 out_label=b",
      "ExtractRegion source=name: start=0 len=1 anchor=start out_label=n",
      "ConcatTags in_labels=[\(list)] separator=+ on_missing=\(how) out_label=c",
      "StoreTagInComment in_label=c", "ForgetAllTags",
    ]
    let run = try RecipeRun(
      steps, blocks: [[record("r", "AT") + record("r", "CT") + record("r", "CC")]])
    #expect(
      run.reads.map {
        $0.split(separator: " ")[0].split(separator: "=", omittingEmptySubsequences: false)[1]
      } == expected.map { $0[...] })
  }
}
