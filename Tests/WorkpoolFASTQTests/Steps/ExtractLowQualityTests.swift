// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExtractLowQualityTests {
  @Test("the runs of low qualities at the ends")
  func runs() throws {
    let run = try RecipeRun(
      [
        "ExtractLowQualityStart min_qual=53 out_label=a",
        "ExtractLowQualityEnd min_qual='5' out_label=b",
        "StoreTagLocationInComment in_label=a", "StoreTagLocationInComment in_label=b",
      ],
      blocks: [[record("r", "ACGTA", "44955") + record("s", "ACG", "994") + record("t", "A", "1")]])
    #expect(
      run.reads == [
        "r|a_location=read1:0-2|b_location= ACGTA", "s|a_location=|b_location=read1:2-3 ACG",
        "t|a_location=read1:0-1|b_location=read1:0-1 A",
      ])
  }
}
