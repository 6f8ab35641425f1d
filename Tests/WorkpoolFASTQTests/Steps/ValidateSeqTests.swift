// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ValidateSeqTests {
  @Test("the earliest read with another byte is named, then the first segment")
  func named() {
    let good = record("a", "ACGT") + record("b", "")
    func run(_ segment: String, _ first: String, _ second: String) -> String {
      errorText {
        try RecipeRun(
          ["ValidateSeq allowed=ACGT segment=\(segment)"], segments: ["read1", "read2"],
          blocks: [[good + first, good + second]])
      }
    }
    let bad = record("x", "ANC") + record("y", "A")
    let worse = record("x", "Aa") + record("y", "A")
    #expect(run("all", bad, worse) == "step 1 (ValidateSeq): record 3: read x: 'N' is not allowed")
    #expect(
      run("read2", bad, worse) == "step 1 (ValidateSeq): record 3: read x: 'a' is not allowed")
    let later = record("x", "A") + record("y", "\0")
    #expect(run("all", later, worse).hasSuffix("read x: 'a' is not allowed"))
    #expect(run("read1", later, worse).hasSuffix("record 4: read y: byte 0x00 is not allowed"))
  }

  @Test("dropped reads and cut bases are not looked at")
  func passes() throws {
    let run = try RecipeRun(
      ["Skip n=1", "CutEnd n=1", "ValidateSeq allowed=ACGT"],
      blocks: [[record("a", "NN") + record("b", "ACN")]])
    #expect(run.output == record("b", "AC"))
  }
}
