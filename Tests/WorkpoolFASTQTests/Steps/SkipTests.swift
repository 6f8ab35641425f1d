// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct SkipTests {
  @Test("the first n reads are dropped, over blocks", arguments: [0, 1, 3, 4, 7, 8, 9])
  func skips(n: Int) throws {
    let run = try RecipeRun(["Skip n=\(n)"], blocks: [[records(0..<4)], [records(4..<8)]])
    #expect(run.output == records(min(n, 8)..<8))
    #expect(run.stoppedAt == nil)
    let again = try RecipeRun([], blocks: [[records(0..<4)], [records(4..<8)]], of: run.recipe)
    #expect(again.output == run.output)
  }
}
