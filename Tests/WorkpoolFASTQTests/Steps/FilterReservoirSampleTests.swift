// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FilterReservoirSampleTests {
  private func sample(_ n: Int, _ blocks: [Range<Int>]) throws -> [String] {
    let recipe = try Recipe(
      segments: ["read1"],
      steps: [
        "CalcLength out_label=l", "FilterReservoirSample n=\(n) seed=3",
        "StoreTagInComment in_label=l",
      ].map { try StepParser.parse($0) })
    recipe.begin()
    let batch = try recipe.makeBatch()
    for block in blocks {
      batch.clear()
      try fill(batch, [records(block)])
      try batch.parse(endsFile: true)
      for stage in recipe.stages { _ = try stage.run(batch) }
      #expect(batch.keptCount == 0)
    }
    batch.clear()
    try recipe.steps[1].release(into: batch)
    for stage in recipe.stages where stage.firstStep > 1 { _ = try stage.run(batch) }
    return try encoded(batch, 0..<1).split(separator: "\n").filter { $0.hasPrefix("@") }.map(
      String.init)
  }

  @Test("all reads where there are few, else n different ones, whatever the blocks; tags stay")
  func samples() throws {
    #expect(try sample(5, [0..<2, 2..<4]) == (0..<4).map { "@r\($0)|l=4" })
    let some = try sample(5, [0..<100])
    #expect(Set(some).count == 5)
    #expect(try sample(5, [0..<1, 1..<60, 60..<100]) == some)
    #expect(try sample(5, []) == [])
  }
}
