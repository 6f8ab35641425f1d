// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct TagDuplicatesTests {
  @Test(
    "the first is none, later ones are; a missing tag never is", arguments: ["0", "0.01 seed=1"])
  func tags(rate: String) throws {
    let run = try RecipeRun(
      [
        "TagDuplicates source=read1 false_positive_rate=\(rate) out_label=d",
        "StoreTagInComment in_label=d",
      ], blocks: [[record("a", "AC") + record("b", "AG")], [record("c", "AC") + record("d", "AC")]])
    #expect(run.reads == ["a|d=0 AC", "b|d=0 AG", "c|d=1 AC", "d|d=1 AC"])
    let tags = try RecipeRun(
      [
        "ExtractIUPAC search=A anchor=right max_mismatches=0 out_label=t",
        "TagDuplicates source=tag:t false_positive_rate=\(rate) out_label=d",
        "StoreTagInComment in_label=d",
      ], blocks: [[["CA", "C", "C", "GA"].map { record("r", $0) }.joined()]])
    #expect(tags.reads.map { $0.split(separator: " ")[0] } == ["r|d=0", "r|d=0", "r|d=0", "r|d=1"])
  }

  @Test(
    "a name is one up to its comment, unless all names are asked for",
    arguments: [("name:read1", 1), ("name:", 1), ("name:all", 0)])
  func names(source: String, expected: Int) throws {
    let run = try RecipeRun(
      [
        "TagDuplicates source=\(source) false_positive_rate=0 out_label=d",
        "StoreTagInComment in_label=d",
      ],
      blocks: [[record("a 1", "AC") + record("a 2", "AC")]])
    #expect(run.reads[1] == "a|d=\(expected) 2 AC")
  }

  @Test("a filter needs a seed")
  func refused() {
    #expect(
      errorText {
        try RecipeRun("TagDuplicates source=read1 false_positive_rate=0.1 out_label=d", "")
      }
      .contains("seed is missing"))
  }
}
