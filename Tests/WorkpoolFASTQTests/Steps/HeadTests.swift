// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct HeadTests {
  static let blocks = [[records(0..<4)], [records(4..<8)], [records(8..<12)]]

  @Test(
    "the first n reads are kept and the block that completes them is the last",
    arguments: [(0, 0), (1, 0), (3, 0), (4, 0), (5, 1), (8, 1), (9, 2), (12, 2)])
  func stops(n: Int, block: Int) throws {
    let run = try RecipeRun(["Head n=\(n)"], blocks: Self.blocks)
    #expect(run.output == records(0..<n))
    #expect(run.stoppedAt == block)
    #expect(run.counters[0].readsIn == 4 * (block + 1))
    #expect(run.counters[0].readsOut == n)
  }

  @Test("fewer reads than n do not stop")
  func short() throws {
    let run = try RecipeRun(["Head n=13"], blocks: Self.blocks)
    #expect(run.output == records(0..<12))
    #expect(run.stoppedAt == nil)
  }

  @Test("only reads that reach the step are counted")
  func counted() throws {
    let run = try RecipeRun(["Skip n=3", "Head n=2"], blocks: Self.blocks)
    #expect(run.output == records(3..<5))
    #expect(run.stoppedAt == 1)
  }

  @Test("after the stop every further block is dropped, and a new run begins anew")
  func again() throws {
    let recipe = try Recipe(segments: ["read1"], steps: [StepParser.parse("Head n=2")])
    let batch = try recipe.makeBatch()
    recipe.begin()
    for expected in [records(0..<2), ""] {
      batch.clear()
      try fill(batch, [records(0..<3)])
      try batch.parse(endsFile: true)
      #expect(try recipe.stages[0].run(batch) == .stop)
      #expect(try encoded(batch, 0..<1) == expected)
    }
    let run = try RecipeRun([], blocks: Self.blocks, of: recipe)
    #expect(run.output == records(0..<2))
  }
}
