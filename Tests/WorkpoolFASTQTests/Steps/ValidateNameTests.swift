// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ValidateNameTests {
  private func check(_ arguments: String, _ names: [String]) -> String {
    errorText {
      try RecipeRun(
        ["ValidateName \(arguments)"], segments: (1...names.count).map { "read\($0)" },
        blocks: [names.map { record($0, "A") }])
    }
  }

  @Test(
    "names are equal, or equal up to the end character",
    arguments: [
      ("", ["a b", "a b"], true), ("", ["a/1", "a/2"], false), ("", ["a", "ab"], false),
      ("readname_end_char=_", ["a_1", "a_2", "a_"], true),
      ("read_name_end_char=95", ["a_1_2", "a_x"], true),
      ("readname_end_char=_", ["a_1", "ab_1"], false), ("readname_end_char=_", ["_1", "_2"], true),
    ])
  func compares(arguments: String, names: [String], isRight: Bool) {
    #expect((check(arguments, names) == "no error") == isRight)
  }

  @Test("the end character must be in every name")
  func missing() {
    #expect(
      check("readname_end_char=_", ["a", "a_1"])
        == "step 1 (ValidateName): record 1: read a: the name does not contain "
        + "readname_end_char '_', a in the first segment")
    #expect(
      check("readname_end_char=_", ["a_1", "a"]).contains("read a: the name does not contain"))
    #expect(check("readname_end_char=ab", ["a", "a"]).contains("string of one byte"))
  }

  @Test("the first of each thousand is looked at by default")
  func defaultStride() {
    func run(_ wrong: Int) -> String {
      let first = records(0..<1500)
      let second = records(0..<wrong) + record("x", "A") + records(wrong + 1..<1500)
      return errorText {
        try RecipeRun(
          ["ValidateName"], segments: ["read1", "read2"], blocks: [[first, second]])
      }
    }
    #expect(run(999) == "no error")
    #expect(run(1000).contains("record 1001: read x"))
  }
}
