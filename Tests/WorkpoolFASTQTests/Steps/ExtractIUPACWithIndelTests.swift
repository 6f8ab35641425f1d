// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExtractIUPACWithIndelTests {
  private func place(_ how: String, _ sequence: String) throws -> String {
    let run = try RecipeRun(
      [
        "ExtractIUPACWithIndel search=ACGTAC out_label=t " + how,
        "StoreTagLocationInComment in_label=t",
      ],
      blocks: [[record("r", sequence)]])
    return String(run.reads[0].split(separator: " ")[0].dropFirst(13))
  }

  @Test(
    "whole, with a base too many, too few, and another one",
    arguments: [
      ("anchor=anywhere", "TTACGTACTT", "read1:2-8"),
      ("anchor=anywhere max_indel_bases=1", "TTACGGTACTT", "read1:2-9"),
      ("anchor=anywhere max_indel_bases=1", "TTACTACTT", "read1:2-7"),
      ("anchor=anywhere max_mismatches=1", "TTACCTACTT", "read1:2-8"),
      ("anchor=anywhere", "TTACCTACTT", ""), ("anchor=left", "ACGTACTT", "read1:0-6"),
      ("anchor=right", "TTACGTAC", "read1:2-8"), ("anchor=right", "TTACGTACT", ""),
      ("anchor=left", "", ""),
      ("anchor=anywhere max_mismatches=1 max_indel_bases=1 max_total_edits=0", "TTACCTACTT", ""),
    ])
  func finds(how: String, sequence: String, expected: String) throws {
    #expect(try place(how, sequence) == expected)
  }
}
