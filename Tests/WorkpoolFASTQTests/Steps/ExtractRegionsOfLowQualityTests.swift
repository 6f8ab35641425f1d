// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExtractRegionsOfLowQualityTests {
  @Test("all runs that are long enough")
  func finds() throws {
    let run = try RecipeRun(
      [
        "ExtractRegionsOfLowQuality min_quality='5' min_length=2 out_label=t",
        "StoreTagLocationInComment in_label=t", "StoreTagInComment in_label=t",
      ], blocks: [[record("r", "ACGTACGT", "44949944") + record("s", "AC", "99")]])
    #expect(
      run.reads == ["r|t_location=read1:0-2,read1:6-8|t=AC_GT ACGTACGT", "s|t_location=|t= AC"])
  }
}
