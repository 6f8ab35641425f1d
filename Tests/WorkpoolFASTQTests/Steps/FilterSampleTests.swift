// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FilterSampleTests {
  @Test("reads are kept where the seed's next number is less than p times 2^64")
  func follows() throws {
    let run = try RecipeRun(
      ["FilterSample p=0.25 seed=42"], blocks: [[records(0..<100)], [records(100..<400)]])
    var random = ChaCha20(seed: 42)
    let kept = (0..<400).filter { _ in random.next64() < 1 << 62 }
    #expect(run.output == kept.map { records($0..<$0 + 1) }.joined())
    #expect(kept.count > 60 && kept.count < 140)
  }

  @Test("only reads that reach the step take a number, and a new run begins anew")
  func reached() throws {
    let run = try RecipeRun(["Skip n=10", "sample p=0.5 seed=7"], blocks: [[records(0..<50)]])
    var random = ChaCha20(seed: 7)
    let kept = (10..<50).filter { _ in random.next64() < 1 << 63 }
    #expect(run.output == kept.map { records($0..<$0 + 1) }.joined())
    let again = try RecipeRun([], blocks: [[records(0..<50)]], of: run.recipe)
    #expect(again.output == run.output)
  }

  @Test(
    "p lies strictly between 0 and 1", arguments: ["0", "1", "0.0", "1.5", "-0.1", "nan", "inf"])
  func bounds(p: String) {
    let text = errorText { try RecipeRun("FilterSample p=\(p) seed=1", "") }
    #expect(text.hasPrefix("step 1 (FilterSample): p = "))
    #expect(text.hasSuffix("number above 0 and below 1"))
  }

  @Test("the least and the largest p work")
  func extremes() throws {
    let few = try RecipeRun("FilterSample p=5e-324 seed=1", records(0..<20))
    #expect(few.output == "")
    let all = try RecipeRun("FilterSample p=0.99999999999999988 seed=1", records(0..<20))
    #expect(all.output == records(0..<20))
  }
}
