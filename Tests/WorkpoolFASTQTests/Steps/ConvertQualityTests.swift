// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ConvertQualityTests {
  @Test(
    "between encodings, what does not fit goes to the end of the range",
    arguments: [
      ("illumina1.3", "sanger", "@Jh~", "!+I_"), ("sanger", "illumina1.3", "!+I~", "@Jh~"),
      // From the formulas, by hand: sanger 0, 1, 2, 10, 40.
      ("sanger", "solexa", "!\"#+I", ";;>Jh"), ("solexa", "sanger", ";>Jh~", "\"#+I_"),
      ("solexa", "illumina1.3", ";@Jh", "ACJh"), ("illumina_1_3", "Solexa", "@AJh", ";;Jh"),
    ])
  func converts(from: String, to: String, input: String, expected: String) throws {
    let bases = String(repeating: "A", count: input.utf8.count)
    #expect(
      try RecipeRun("ConvertQuality from=\(from) to=\(to)", record("r", bases, input)).output
        == record("r", bases, expected))
  }

  @Test("a byte outside the first encoding is an error, the same encoding twice too")
  func refused() {
    #expect(
      errorText {
        try RecipeRun(
          "ConvertQuality from=illumina1.3 to=sanger", record("r", "A", "I") + record("s", "A", "!")
        )
      }.contains("record 2: read s: quality '!' is outside 64 to 126 of illumina1.3"))
    #expect(
      errorText { try RecipeRun("ConvertQuality from=sanger to=illumina1.8", "") }
        == "step 1 (ConvertQuality): from and to are the same")
  }
}
