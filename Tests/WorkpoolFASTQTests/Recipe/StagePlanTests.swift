// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct StagePlanTests {
  @Test("adjacent parallel steps share a stage, serial ones have their own")
  func grouped() throws {
    let recipe = try Recipe(
      segments: ["a", "b"],
      steps: [
        "CutStart n=1 segment=a", "CutEnd n=1 segment=b", "Head n=5", "Skip n=1",
        "Truncate n=9 segment=a", "FilterEmpty segment=all", "Uppercase target=all",
      ].map { try StepParser.parse($0) })
    #expect(
      recipe.stages.map { $0.name }
        == [
          "ValidateReadPairing", "CutStart+CutEnd", "Head", "Skip",
          "Truncate+FilterEmpty+Uppercase",
        ])
    #expect(recipe.stages.map { $0.kind } == [.serial, .parallel, .serial, .serial, .parallel])
    #expect(recipe.stages.map { $0.firstStep } == [0, 1, 3, 4, 5])
    #expect(recipe.stages.flatMap { $0.steps.map { $0.name } } == recipe.steps.map { $0.name })
    #expect(recipe.stages.allSatisfy { !$0.seesAll })
    #expect(try Recipe(segments: ["a"], steps: []).stages.isEmpty)
  }

  @Test("each step counts what it took and left, and blocks add up")
  func counts() throws {
    let steps = ["Skip n=1", "CutStart n=3", "FilterEmpty", "ReverseComplement", "Head n=4"]
    let input = (0..<8).map { record("r\($0)", String(repeating: "A", count: $0)) }
    var totals: [[StepCounters]] = []
    for size in [1, 2, 3, 8] {
      let blocks = stride(from: 0, to: 8, by: size).map { [input[$0..<min($0 + size, 8)].joined()] }
      totals.append(try RecipeRun(steps, blocks: blocks).counters)
    }
    #expect(totals.allSatisfy { $0 == totals[0] })
    #expect(
      totals[0].map { [$0.readsIn, $0.readsOut, $0.basesIn, $0.basesOut] }
        == [[8, 7, 28, 28], [7, 7, 28, 10], [7, 4, 10, 10], [4, 4, 10, 10], [4, 4, 10, 10]])
  }

  @Test("the earliest step of a stage fails first, whatever its read")
  func firstError() {
    #expect(
      errorText {
        try RecipeRun(
          ["ValidateQuality encoding=sanger", "ValidateSeq allowed=A"],
          blocks: [[record("a", "C") + record("b", "A", "\u{7f}")]])
      }.hasPrefix("step 1 (ValidateQuality): record 2: read b"))
  }

  @Test("an error names the file")
  func path() throws {
    let recipe = try Recipe(segments: ["a"], steps: [StepParser.parse("ValidateSeq allowed=A")])
    let batch = try recipe.makeBatch()
    try fill(batch, [record("r", "C")])
    batch.segments[0].text.origin = FASTQOrigin(path: "x.fq", record: 99)
    try batch.parse(endsFile: true)
    #expect(
      errorText { try recipe.stages[0].run(batch) }
        == "x.fq: step 1 (ValidateSeq): record 100: read r: 'C' is not allowed")
  }
}
