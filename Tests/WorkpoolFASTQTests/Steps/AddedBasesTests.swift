// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct AddedBasesTests {
  @Test("bases and qualities come at the start or at the end, and regions move along")
  func adds() throws {
    let input = record("r", "ACgt", "1234") + record("e", "")
    #expect(
      try RecipeRun("Prefix seq=NaC qual=xyz", input).output
        == record("r", "NaCACgt", "xyz1234") + record("e", "NaC", "xyz"))
    #expect(
      try RecipeRun("Postfix seq=NaC qual=xyz", input).output
        == record("r", "ACgtNaC", "1234xyz") + record("e", "NaC", "xyz"))
    let run = try RecipeRun(
      [
        "ExtractIUPAC search=CG anchor=anywhere max_mismatches=0 out_label=t",
        "Prefix seq=TT qual=II", "Postfix seq=TT qual=II", "StoreTagLocationInComment in_label=t",
      ], blocks: [[input]])
    #expect(run.reads == ["r|t_location=read1:3-5 TTACgtTT", "e|t_location= TTTT"])
  }

  @Test("the lengths must be equal, the qualities within their encoding")
  func refused() {
    #expect(
      errorText { try RecipeRun("Prefix seq=ACGT qual=III", "") }
        == "step 1 (Prefix): qual = \"III\" has another length than seq = \"ACGT\"")
    #expect(
      errorText { try RecipeRun("Postfix seq=A qual='!' encoding=solexa", "") }
        == "step 1 (Postfix): qual = \"!\": '!' is outside 59 to 126 of solexa")
  }
}
