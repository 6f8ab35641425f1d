// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct RegularExpressionTests {
  private func tagged(_ step: String, _ sequence: String, _ name: String = "r1 x") throws
    -> [String]
  {
    try RecipeRun(
      ["ExtractRegex out_label=t " + step, "StoreTagInComment in_label=t"],
      blocks: [[record(name, sequence)]]
    ).reads
  }

  @Test(
    "the first match, or what it is replaced with",
    .enabled(if: RegularExpressionTests.isAvailable),
    arguments: [
      ("search='C.'", "CG"), ("search='(C)(.)' replacement='${2}-$1$$'", "G-C$"),
      ("search='(?P<n>CG)T' replacement='$n'", "CG"), ("search='X'", ""),
      ("search='C' replacement='$nothing'", ""), ("search='(?-u)C'", "C"), ("search='T$'", ""),
    ])
  func extracts(step: String, expected: String) throws {
    #expect(try tagged("source=read1 " + step, "ACGTA") == ["r1|t=\(expected) x ACGTA"])
  }

  @Test(
    "names are renamed wherever the pattern is, with the number of the read",
    .enabled(if: RegularExpressionTests.isAvailable))
  func renames() throws {
    let run = try RecipeRun(
      ["Rename search='([0-9])' replacement='<$1>{{READ_INDEX}}'"],
      blocks: [[record("a1b2", "")], [record("c", "") + record("3", "")]])
    #expect(run.reads == ["a<1>0b<2>0 ", "c ", "<3>2 "])
  }

  @Test(
    "patterns and replacements that mean something else elsewhere",
    arguments: ["search='[a&&b]'", "search='[[a]b]'", "search='('", "search=a replacement='$1_'"])
  func refused(step: String) {
    #expect(errorText { try tagged("source=read1 " + step, "A") }.contains("step 1 (ExtractRegex)"))
  }

  static var isAvailable: Bool { (try? RegularExpression("a", replacement: "")) != nil }
}
