// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct AllocationFailureTests {
  @Test("each allocation of a run may fail: the run says so, and the batch can be used again")
  func eachFails() throws {
    let texts = [records(0..<500), records(0..<500)]
    let steps = [
      "CalcLength segment=all out_label=l",
      "FilterByNumericTag in_label=l min_value=1 keep_or_remove=keep",
      "ReverseComplement segment=read2", "ValidateSeq allowed=ACGT segment=all",
      "CalcExpectedError aggregate=sum out_label=e",
      "FilterByNumericTag in_label=e max_value=9 keep_or_remove=keep",
    ]
    func run() throws -> String {
      let requests = try steps.map { try StepParser.parse($0) }
      let recipe = try Recipe(segments: ["read1", "read2"], steps: requests)
      let batch = try recipe.makeBatch()
      try fill(batch, texts)
      try batch.parse(endsFile: true)
      for stage in recipe.stages { _ = try stage.run(batch) }
      return try encoded(batch, 0..<2)
    }
    let expected = try run()
    #expect(expected.utf8.count == 2 * texts[0].utf8.count)

    var allocations: Int64 = 0
    while allocations < 1000 {
      wpl_fail_own_allocation_after(allocations)
      defer { wpl_fail_own_allocation_after(-1) }
      do {
        #expect(try run() == expected)
        break
      } catch let error as WorkpoolError {
        #expect(error.status == .noMemory)
      } catch let error as RecipeError {
        #expect(error.text.contains("out of memory"))
      }
      allocations += 1
    }
    #expect(allocations > 15 && allocations < 1000)
  }

  @Test("a batch that failed to grow works when there is memory again")
  func retried() throws {
    let batch = try FASTQBatch(segments: 2, columns: [.numeric, .location], steps: 1)
    for allocations in 0..<6 {
      batch.clear()
      try fill(batch, [records(0..<2000), records(0..<2000)])
      wpl_fail_own_allocation_after(Int64(allocations))
      #expect(throws: WorkpoolError.self) { try batch.parse(endsFile: true) }
      wpl_fail_own_allocation_after(-1)
      #expect(batch.count == 0)
    }
    try batch.parse(endsFile: true)
    #expect(try encoded(batch, 0..<1) == records(0..<2000))
  }
}
