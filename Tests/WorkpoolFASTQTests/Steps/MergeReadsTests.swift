// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct MergeReadsTests {
  private func merged(_ one: (String, String), _ other: (String, String), _ how: String) throws
    -> [String]
  {
    var options = RecipeOptions()
    options.checksPairing = false
    return try RecipeRun(
      [
        "MergeReads segment1=a segment2=b algorithm=fastp min_overlap=5 max_mismatch_rate=0.2 "
          + "max_mismatch_count=1 reverse_complement_segment2=true " + how
      ], segments: ["a", "b"], options: options,
      blocks: [[record("r", one.0, one.1), record("r", other.0, other.1)]]
    ).outputs
  }

  @Test("reads that overlap become one; a good base replaces a poor one")
  func overlaps() throws {
    // The other one turned is GGTAACCAA: it overlaps by six, with one base that is better there.
    let found = try merged(
      ("ACACGGTTAC", "IIIIIII!II"), ("TTGGTTACC", "IIIIIIIII"), "no_overlap_strategy=as_is")
    #expect(found == [record("r", "ACACGGTAACCAA"), record("r", "")])
  }

  @Test("others stay, or are put one behind the other")
  func apart() throws {
    let (one, other) = (("AAAAAAAA", "IIIIIIII"), ("AAAAAAA", "JJJJJJJ"))
    #expect(
      try merged(one, other, "no_overlap_strategy=as_is")
        == [record("r", "AAAAAAAA"), record("r", "AAAAAAA", "JJJJJJJ")])
    #expect(
      try merged(one, other, "no_overlap_strategy=concatenate concatenate_spacer=NN")
        == [record("r", "AAAAAAAANNTTTTTTT", "IIIIIIII!!JJJJJJJ"), record("r", "")])
  }
}
