// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct CalcLengthTests {
  @Test(
    "the length is that of the segment, or the sum of all",
    arguments: [("read1", [0, 4, 2]), ("read2", [3, 0, 1]), ("all", [3.0, 4, 3])])
  func lengths(segment: String, expected: [Double]) throws {
    let run = try RecipeRun(
      [
        "CalcLength segment=\(segment) out_label=x",
        "FilterByNumericTag in_label=x min_value=0 keep_or_remove=keep",
      ],
      segments: ["read1", "read2"],
      blocks: [
        [
          record("a", "") + record("b", "ACGT") + record("c", "AC"),
          record("a", "ACG") + record("b", "") + record("c", "A"),
        ]
      ])
    #expect(run.values == expected)
    #expect(run.counters[1].readsOut == 3)
  }
}
