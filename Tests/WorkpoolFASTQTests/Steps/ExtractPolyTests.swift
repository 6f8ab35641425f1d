// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExtractPolyTests {
  private func place(_ step: String, _ sequence: String) throws -> String {
    let run = try RecipeRun(
      [step + " out_label=t", "StoreTagLocationInComment in_label=t"],
      blocks: [[record("r", sequence)]])
    return String(run.reads[0].split(separator: " ")[0].dropFirst(13))
  }

  @Test(
    "tails with few enough mismatches",
    arguments: [
      ("A", 0.0, 0, "CCAAA", "read1:2-5"), ("A", 0.0, 0, "CCACA", ""),
      ("A", 0.4, 1, "CAAACA", "read1:1-6"),
      ("A", 0.4, 0, "CAAACA", ""), (".", 0.0, 0, "CCGGG", "read1:2-5"),
      ("N", 0.0, 0, "ANNN", "read1:1-4"),
      ("A", 0.0, 0, "AAA", "read1:0-3"), ("A", 0.0, 0, "", ""),
    ])
  func tails(base: String, rate: Double, consecutive: Int, sequence: String, expected: String)
    throws
  {
    #expect(
      try place(
        "ExtractPolyTail base='\(base)' min_length=3 max_mismatch_rate=\(rate) "
          + "max_consecutive_mismatches=\(consecutive)", sequence) == expected)
  }

  @Test(
    "the longest stretch, then the leftmost",
    arguments: [
      ("A", "CAACAAAC", "read1:4-7"), ("A", "CAACAAC", "read1:1-3"), (".", "CAAGGGC", "read1:3-6"),
      (".", "TTAAC", "read1:0-2"),
      ("A", "A", ""), ("A", "", ""), ("A", "CC", ""),
    ])
  func stretches(base: String, sequence: String, expected: String) throws {
    #expect(
      try place(
        "ExtractLongestPolyX base='\(base)' min_length=2 max_mismatch_rate=0 "
          + "max_consecutive_mismatches=1", sequence) == expected)
  }
}
