// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct SwapTests {
  @Test("whole records change segments, and so do regions")
  func swaps() throws {
    let run = try RecipeRun(
      [
        "ExtractIUPAC search=C anchor=anywhere max_mismatches=0 out_label=t segment=a",
        "Swap if_tag=t", "StoreTagLocationInComment in_label=t segment=a",
      ], segments: ["a", "b"],
      options: {
        var o = RecipeOptions(); o.checksPairing = false; return o
      }(),
      blocks: [[record("r1", "AC") + record("s1", "AA"), record("r2", "TTTT") + record("s2", "")]])
    #expect(
      run.outputs == [
        record("r2|t_location=b:1-2", "TTTT") + record("s1|t_location=", "AA"),
        record("r1", "AC") + record("s2", ""),
      ])
  }

  @Test("interleaved segments swap too")
  func interleaved() throws {
    let run = try RecipeRun(
      ["Swap"], segments: ["a", "b"], isInterleaved: true,
      blocks: [[record("r1", "AC") + record("r2", "TTTT")]])
    #expect(run.outputs == [record("r2", "TTTT"), record("r1", "AC")])
  }

  @Test("both segments or, of two, none are named")
  func refused() {
    #expect(
      errorText { try RecipeRun("Swap segment_a=read1", "") }
        == "step 1 (Swap): segment_b is missing; segments are read1")
    #expect(
      errorText { try RecipeRun("Swap", "") }.contains("can be missing only with two segments"))
  }
}
