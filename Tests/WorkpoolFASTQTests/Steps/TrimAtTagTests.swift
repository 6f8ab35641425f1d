// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct TrimAtTagTests {
  @Test(
    "before, through, up to and behind the region",
    arguments: [
      ("start keep_tag=true", "CGTT|read1:0-2"), ("start keep_tag=false", "TT|"),
      ("end keep_tag=true", "AACG|read1:2-4"), ("end keep_tag=false", "AA|"),
    ])
  func trims(how: String, expected: String) throws {
    let run = try RecipeRun(
      [
        "ExtractIUPAC search=CG anchor=anywhere max_mismatches=0 out_label=t",
        "TrimAtTag in_label=t direction=\(how)", "StoreTagLocationInComment in_label=t",
      ], blocks: [[record("r", "AACGTT") + record("s", "AAA")]])
    let parts = expected.split(separator: "|", omittingEmptySubsequences: false)
    #expect(run.reads == ["r|t_location=\(parts[1]) \(parts[0])", "s|t_location= AAA"])
  }

  @Test("a tag of several regions is no place to cut at, and a lost one neither")
  func refused() {
    #expect(
      errorText {
        try RecipeRun(
          [
            "CutStart n=1", "ExtractIUPAC search=A anchor=left max_mismatches=0 out_label=t",
            "CutStart n=1", "TrimAtTag in_label=t direction=start keep_tag=true",
          ], blocks: [[record("r", "CAA")]])
      }.contains("step 4 (TrimAtTag): record 1: read r: the tag \"t\" has lost its place"))
  }
}
