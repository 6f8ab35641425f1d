// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct StoreTagInCommentTests {
  @Test("before the first insert character or at the end; numbers as they are written there")
  func inserts() throws {
    let run = try RecipeRun(
      [
        "EvalExpression expr='len_read1 / 3' result_type=numeric out_label=n",
        "EvalExpression expr='len_read1 > 3' result_type=bool out_label=b",
        "StoreTagInComment in_label=n", "StoreTagInComment in_label=b comment_separator=';'",
      ], blocks: [[record("r x y", "ACGT") + record("s", "ACG")]])
    #expect(run.reads == ["r|n=1.3333;b=1 x y ACGT", "s|n=1;b=0 ACG"].map { $0 })
  }

  @Test("a value with one of the two bytes is an error, and so is a label")
  func refused() {
    #expect(
      errorText {
        try RecipeRun(
          [
            "ExtractRegion source=name: start=0 len=3 anchor=start out_label=t",
            "StoreTagInComment in_label=t",
          ], blocks: [[record("a|c", "A")]])
      }.contains("the value of the tag \"t\" contains comment_separator '|'"))
    #expect(
      errorText {
        try RecipeRun(
          ["CalcLength out_label=a_b", "StoreTagInComment in_label=a_b comment_separator=_"],
          blocks: [])
      }.contains("comment_separator '_' is in the label \"a_b\""))
  }
}
