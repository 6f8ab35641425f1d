// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FilterByNumericTagTests {
  static let input = (0..<5).map { record("r\($0)", String(repeating: "A", count: $0)) }.joined()

  @Test(
    "the lower bound is inside, the upper is not",
    arguments: [
      ("min_value=2 keep_or_remove=keep", "234"), ("max_value=2 keep_or_remove=keep", "01"),
      ("min_value=1 max_value=3 keep_or_remove=keep", "12"),
      ("min_value=1 max_value=3 keep_or_remove=Remove", "034"),
      ("min_value=2.5 keep_or_remove=keep", "34"), ("max_value=-1 keep_or_remove=keep", ""),
      ("min_value=3 max_value=1 keep_or_remove=remove", "01234"),
    ])
  func bounds(arguments: String, expected: String) throws {
    let run = try RecipeRun(
      ["CalcLength out_label=l", "FilterByNumericTag in_label=l \(arguments)"],
      blocks: [[Self.input]])
    #expect(
      run.output.split(separator: "\n").filter { $0.hasPrefix("@") }.map { $0.dropFirst(2) }
        .joined() == expected)
  }

  @Test("a read without a value is not inside")
  func missing() throws {
    let recipe = try Recipe(
      segments: ["read1"],
      steps: [
        StepParser.parse("CalcLength out_label=l"),
        StepParser.parse("FilterByNumericTag in_label=l min_value=0 keep_or_remove=keep"),
      ])
    let batch = try recipe.makeBatch()
    try fill(batch, [records(0..<3)])
    try batch.parse(endsFile: true)
    _ = try recipe.steps[0].apply(batch)
    batch.columns[0].present.start[1] = 0
    _ = try recipe.steps[1].apply(batch)
    #expect(try encoded(batch, 0..<1) == records(0..<1) + records(2..<3))
  }

  @Test("at least one bound is needed, and a tag that exists")
  func refused() {
    #expect(
      errorText {
        try RecipeRun(
          ["CalcLength out_label=l", "FilterByNumericTag in_label=l keep_or_remove=keep"],
          blocks: [])
      } == "step 2 (FilterByNumericTag): min_value or max_value is needed")
    #expect(
      errorText {
        try RecipeRun(
          [
            "CalcLength out_label=length",
            "FilterByNumericTag in_label=length min_value=1 keep_or_remove=keep",
            "FilterByNumericTag in_label=lenght min_value=1 keep_or_remove=keep",
          ], blocks: [])
      }
        == "step 3 (FilterByNumericTag): in_label = \"lenght\" is unknown; there are length; "
        + "nearest: \"length\"")
  }
}
