// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct StoreTagInSequenceTests {
  @Test("a copy goes back to its place; one of another length gets the mean quality")
  func stores() throws {
    var options = RecipeOptions()
    options.barcodes = [BarcodeSection(name: "b", barcodes: [("GG", "x")])]
    let run = try RecipeRun(
      [
        "ExtractRegion source=read1 start=1 len=2 anchor=start out_label=t",
        "HammingCorrect in_label=t barcodes=b max_hamming_distance=1 on_no_match=empty out_label=c",
        "StoreTagInSequence in_label=c",
      ], options: options,
      blocks: [[record("r", "ACGT", "1234") + record("s", "AAAT", "1234")]])
    #expect(run.output == record("r", "AGGT", "1234") + record("s", "AT", "14"))
  }

  @Test("a lost place is an error unless it is to be ignored; letters overwrite")
  func lost() throws {
    let extract = "ExtractIUPAC search=CG anchor=anywhere max_mismatches=0 out_label=t"
    #expect(
      errorText {
        try RecipeRun(
          [extract, "CutStart n=2", "StoreTagInSequence in_label=t"],
          blocks: [[record("r", "ACGT")]])
      }.contains("step 3 (StoreTagInSequence): record 1: read r: the tag \"t\" has lost its place"))
    #expect(
      try RecipeRun(
        [extract, "CutStart n=2", "StoreTagInSequence in_label=t ignore_missing=true"],
        blocks: [[record("r", "ACGT")]]
      ).reads == ["r GT"])
    #expect(
      try RecipeRun(
        [extract, "ReplaceTagWithLetter in_label=t letter=x"], blocks: [[record("r", "ACGT")]]
      )
      .reads == ["r AxxT"])
  }
}
