// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ChangeCaseTests {
  @Test(
    "only the 26 letters of the part named change case",
    arguments: [
      ("Uppercase target=read1", record("Ab cD", "ACGTN@[`{Z", "abcdefghij")),
      ("Lowercase segment=all", record("Ab cD", "acgtn@[`{z", "abcdefghij")),
      ("Uppercase source=name:", record("AB cD", "aCgTn@[`{z", "abcdefghij")),
      ("LOWERCASE target=name:read1", record("ab cD", "aCgTn@[`{z", "abcdefghij")),
      ("lower_case target=name:all", record("ab cD", "aCgTn@[`{z", "abcdefghij")),
    ])
  func changes(step: String, expected: String) throws {
    #expect(try RecipeRun(step, record("Ab cD", "aCgTn@[`{z", "abcdefghij")).output == expected)
  }

  @Test("the comment character ends the name")
  func commentCharacter() throws {
    var options = RecipeOptions()
    options.commentCharacter = UInt8(ascii: "_")
    let run = try RecipeRun(
      ["Uppercase target=name:"], options: options,
      blocks: [[record("a b_c", "") + record("ab", "")]])
    #expect(run.output == record("A B_c", "") + record("AB", ""))
  }

  @Test("tags that are no locations are refused")
  func tags() {
    #expect(
      errorText { try RecipeRun("Lowercase target=tag:x", "") }
        == "step 1 (Lowercase): target = \"tag:x\" is unknown; no step before has made a tag")
    #expect(errorText { try RecipeRun("Lowercase", "") }.contains("target is missing"))
  }
}
