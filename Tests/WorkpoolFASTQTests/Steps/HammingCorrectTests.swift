// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct HammingCorrectTests {
  private func corrected(_ how: String, _ barcodes: [(String, String)], _ reads: [String]) throws
    -> [String]
  {
    var options = RecipeOptions()
    options.barcodes = [BarcodeSection(name: "b", barcodes: barcodes.map { ($0.0, $0.1) })]
    let run = try RecipeRun(
      [
        "ExtractRegion source=read1 start=0 len=4 anchor=start out_label=t",
        "HammingCorrect in_label=t barcodes=b max_hamming_distance=1 on_no_match=\(how) out_label=c",
        "StoreTagInComment in_label=c",
      ], options: options, blocks: [[reads.map { record("r", $0) }.joined()]])
    return run.reads.map { String($0.split(separator: " ")[0].dropFirst(4)) }
  }

  @Test("the first barcode within the distance; the rest is kept, emptied or removed")
  func corrects() throws {
    let barcodes = [("ACGT", "a"), ("TTTT", "b")]
    let reads = ["ACGT", "ACGG", "TTTA", "GGGG", "A"]
    #expect(try corrected("keep", barcodes, reads) == ["ACGT", "ACGT", "TTTT", "GGGG", ""])
    #expect(try corrected("remove", barcodes, reads) == ["ACGT", "ACGT", "TTTT", "", ""])
    #expect(try corrected("empty", barcodes, reads) == ["ACGT", "ACGT", "TTTT", "", ""])
  }

  @Test("ambiguous barcodes match what they stand for")
  func ambiguous() throws {
    #expect(
      try corrected("keep", [("GNAA", "a"), ("CTNN", "b")], ["GTAA", "GTAC", "CAAA", "TTTT"]) == [
        "GNAA", "GNAA", "GNAA", "CTNN",
      ])
  }
}
