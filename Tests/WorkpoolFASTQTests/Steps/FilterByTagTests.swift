// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FilterByTagTests {
  @Test(
    "by presence, booleans by value",
    arguments: [
      ("t", "keep", ["a A"]), ("t", "remove", ["b C"]), ("l", "keep", ["b C"]),
      ("l", "Remove", ["a A"]),
    ])
  func filters(label: String, how: String, expected: [String]) throws {
    let run = try RecipeRun(
      [
        "ExtractIUPAC search=A anchor=left max_mismatches=0 out_label=t",
        "EvalExpression expr='!t' result_type=bool out_label=l",
        "FilterByTag in_label=\(label) keep_or_remove=\(how)", "ForgetAllTags",
      ], blocks: [[record("a", "A") + record("b", "C")]])
    #expect(run.reads == expected)
  }

  @Test("a number is no such tag")
  func refused() {
    #expect(
      errorText {
        try RecipeRun(
          ["CalcLength out_label=n", "FilterByTag in_label=n keep_or_remove=keep"], blocks: [])
      }
        == "step 2 (FilterByTag): in_label = \"n\" is a numeric tag; a bool or location or string tag is needed"
    )
  }
}
