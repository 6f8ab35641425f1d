// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExtractIUPACTests {
  private func places(_ step: String, _ sequences: [String]) throws -> [String] {
    let input = sequences.enumerated().map { record("\($0)", $1) }.joined()
    return try RecipeRun(
      ["ExtractIUPAC out_label=t " + step, "StoreTagLocationInComment in_label=t"],
      blocks: [[input]]
    ).reads.map {
      String($0.split(separator: " ")[0].split(separator: "=", omittingEmptySubsequences: false)[1])
    }
  }

  @Test("at the start, at the end, and where the distance is smallest, leftmost first")
  func anchors() throws {
    let reads = ["ACGTACGT", "AAGTTCGT", "", "ACG", "NNNNACGT"]
    #expect(
      try places("search=ACGT anchor=left max_mismatches=1", reads)
        == ["read1:0-4", "read1:0-4", "", "", ""])
    #expect(
      try places("search=ACGT anchor=right max_mismatches=0", reads)
        == ["read1:4-8", "", "", "", "read1:4-8"])
    #expect(
      try places("search=ACGT anchor=anywhere max_mismatches=4", reads)
        == ["read1:0-4", "read1:0-4", "", "", "read1:4-8"])
  }

  @Test(
    "codes match what they stand for in either case and themselves, N any byte; an N of the read only N"
  )
  func codes() throws {
    #expect(
      try places(
        "search=RYN anchor=left max_mismatches=0",
        ["ACx", "gt.", "NCA", "CAA", "GTN", "RYA", "YRA"])
        == ["read1:0-3", "read1:0-3", "", "", "read1:0-3", "read1:0-3", ""])
  }

  @Test("of a list the first pattern that is found counts")
  func lists() throws {
    #expect(
      try places("search=['GG','A'] anchor=anywhere max_mismatches=0", ["AGG", "TTA", "T"])
        == ["read1:1-3", "read1:2-3", ""])
  }
}
