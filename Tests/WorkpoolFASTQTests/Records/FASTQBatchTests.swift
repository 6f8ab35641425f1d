// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FASTQBatchTests {
  @Test("interleaved records are dealt out in turn and share one text")
  func deinterleaves() throws {
    let batch = try FASTQBatch(segments: 3, isInterleaved: true)
    try fill(batch, [records(0..<6)])
    try batch.parse(endsFile: true)
    #expect(batch.count == 2)
    #expect(try encoded(batch, 0..<1) == records(0..<1) + records(3..<4))
    #expect(try encoded(batch, 1..<2) == records(1..<2) + records(4..<5))
    #expect(try encoded(batch, 2..<3) == records(2..<3) + records(5..<6))
    #expect(try encoded(batch, 0..<3) == records(0..<6))
    #expect(batch.place(read: 1, segment: 2) == "record 6: read r5")
  }

  @Test("interleaved records that do not fill the last set are an error", arguments: [1, 2, 4, 5])
  func remainder(count: Int) throws {
    let batch = try FASTQBatch(segments: 3, isInterleaved: true)
    try fill(batch, [records(0..<count)])
    batch.segments[0].text.origin = FASTQOrigin(path: "i.fq", record: 30)
    #expect(
      errorText { try batch.parse(endsFile: true) }
        == "i.fq: interleaved input of 3 segments ends after \(30 + count) records, inside a set")
    #expect(batch.count == 0)
  }

  @Test("files of unequal length are both named with their counts")
  func unequal() throws {
    let batch = try FASTQBatch(segments: 2)
    try fill(batch, [records(0..<3), records(0..<2)])
    batch.segments[0].text.origin = FASTQOrigin(path: "1.fq", record: 10)
    batch.segments[1].text.origin = FASTQOrigin(path: "2.fq", record: 10)
    #expect(
      errorText { try batch.parse(endsFile: true) }
        == "2.fq: the file holds 12 records, but 1.fq holds at least 13")
  }

  @Test("of faults in several segments the earliest read wins, then the first segment")
  func firstFault() throws {
    let batch = try FASTQBatch(segments: 2)
    try fill(batch, [records(0..<3) + "x", records(0..<2) + "y\n"])
    #expect(errorText { try batch.parse(endsFile: true) }.hasPrefix("record 3 (line 9"))
    try fill(batch, [records(0..<2) + "x", records(0..<2) + "y\n"])
    #expect(errorText { try batch.parse(endsFile: true) }.contains("'x'"))
  }

  @Test("a mask drops reads, and reads stay dropped")
  func mask() throws {
    let batch = try FASTQBatch(segments: 1)
    try fill(batch, [records(0..<4)])
    try batch.parse(endsFile: true)
    #expect(batch.keptCount == 4 && batch.keptBases == 16)
    batch.drop(where: [1, 0, 1, 1])
    batch.drop(where: [1, 1, 0, 1])
    #expect(batch.keptCount == 2 && batch.keptBases == 8)
    #expect(try encoded(batch, 0..<1) == records(0..<1) + records(3..<4))
  }

  @Test("a batch is used again without traces of the block before")
  func reuse() throws {
    let batch = try FASTQBatch(segments: 1, columns: [.numeric], steps: 1)
    try fill(batch, [records(0..<5)])
    try batch.parse(endsFile: true)
    batch.dropKept(0..<5)
    _ = batch.columns[0].clear(5)
    batch.counters.start[0].readsIn = 5
    batch.clear()
    #expect(batch.count == 0 && batch.counters.start[0] == StepCounters())
    try fill(batch, [records(0..<2)])
    try batch.parse(endsFile: true)
    #expect(batch.count == 2 && batch.keptCount == 2)
    #expect(batch.columns[0].present.start[1] == 0)
    #expect(try encoded(batch, 0..<1) == records(0..<2))
  }
}
