// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CalcExpectedErrorTests {
  private func value(_ arguments: String, _ blocks: [[String]], segments: [String]) throws -> Double
  {
    let run = try RecipeRun(
      [
        "CalcExpectedError \(arguments) out_label=x",
        "FilterByNumericTag in_label=x min_value=0 keep_or_remove=keep",
      ], segments: segments, blocks: blocks)
    return run.values[0]
  }

  @Test(
    "the sum and the maximum of 10^(-(q-33)/10)",
    arguments: [
      ("sum", "", 0), ("max", "", 0), ("sum", "!", 1), ("max", "+!5", 1), ("sum", "+5?", 0.111),
      ("max", "?5+", 0.1), ("sum", "~", 5.011872336272714e-10),
    ])
  func aggregates(word: String, quality: String, expected: Double) throws {
    let found = try value(
      "aggregate=\(word)",
      [[record("r", String(repeating: "A", count: quality.utf8.count), quality)]],
      segments: ["read1"])
    #expect(abs(found - expected) <= expected * 1e-12)
  }

  @Test(
    "all segments are the default, one can be named",
    arguments: [
      ("aggregate=sum", 0.12), ("aggregate=max", 0.1), ("aggregate=sum segment=read2", 0.02),
      ("aggregate=max segment=read2", 0.01),
    ])
  func segments(arguments: String, expected: Double) throws {
    let found = try value(
      arguments, [[record("r", "A", "+"), record("r", "AC", "55")]], segments: ["read1", "read2"])
    #expect(abs(found - expected) <= expected * 1e-12)
  }

  @Test("a byte outside 33 to 126 fails at the earliest read")
  func outside() {
    let first = record("a", "AC", "II") + record("b", "AC", "I\u{7f}")
    let second = record("a", "A", " ") + record("b", "A", "I")
    for word in ["sum", "max"] {
      #expect(
        errorText {
          try value("aggregate=\(word)", [[first, second]], segments: ["read1", "read2"])
        }
          == "step 1 (CalcExpectedError): record 1: read a: quality byte 0x20 is outside 33 to "
          + "126; ConvertQuality can bring it there")
    }
  }
}
