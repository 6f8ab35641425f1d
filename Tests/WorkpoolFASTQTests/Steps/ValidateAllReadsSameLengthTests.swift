// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ValidateAllReadsSameLengthTests {
  @Test("lengths are compared over the whole run")
  func compares() throws {
    let recipe = try Recipe(
      segments: ["read1"], steps: [StepParser.parse("ValidateAllReadsSameLength source=read1")])
    for (blocks, expected) in [
      ([["AA", "CC"], ["GG"]], "no error"),
      ([["AA"], ["GG", "G"]], "read 2: the length of \"read1\" is 1, but 2 in reads before"),
      ([["AA"], ["G", "GG"]], "read 1: the length of \"read1\" is 1, but 2 in reads before"),
    ] {
      recipe.begin()
      let batch = try recipe.makeBatch()
      let text = errorText {
        for block in blocks {
          batch.clear()
          try fill(batch, [block.enumerated().map { record("\($0 + 1)", $1) }.joined()])
          try batch.parse(endsFile: true)
          for stage in recipe.stages { _ = try stage.run(batch) }
          try recipe.mergeAtEnd(batch)
        }
      }
      #expect(text.hasSuffix(expected), "\(text)")
    }
  }
}
