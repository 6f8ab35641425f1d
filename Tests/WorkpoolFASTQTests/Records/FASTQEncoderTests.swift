// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FASTQEncoderTests {
  @Test("every mixture of dropped, shortened, canonical and other records is written right")
  func mixtures() throws {
    // Each of four records is dropped, shortened, or left, and written canonically or not.
    for code in 0..<1296 {
      let choices = (0..<4).map { code / [1, 6, 36, 216][$0] % 6 }
      var text = ""
      var expected = ""
      for (index, choice) in choices.enumerated() {
        let canonical = record("r\(index)", "ACGT", "I#I\(index)")
        text += choice % 2 == 0 ? canonical : canonical.replacing("+\n", with: "+x\r\n")
        if choice / 2 == 1 { expected += record("r\(index)", "AC", "I#") }
        if choice / 2 == 2 { expected += canonical }
      }
      let batch = try FASTQBatch(segments: 1)
      try fill(batch, [text])
      try batch.parse(endsFile: true)
      batch.drop(where: choices.map { $0 / 2 == 0 ? 0 : 1 })
      for index in 0..<4 where choices[index] / 2 == 1 {
        batch.segments[0].records.start[index].length = 2
      }
      #expect(try encoded(batch, 0..<1) == expected)
      #expect(FASTQEncoder.encodedSize(batch, segments: [0]) == expected.utf8.count)
    }
  }

  @Test("segments are interleaved read by read, in the order of the segments")
  func interleaves() throws {
    let batch = try FASTQBatch(segments: 2)
    try fill(batch, [records(0..<2), record("a", "") + record("b", "GG")])
    try batch.parse(endsFile: true)
    #expect(
      try encoded(batch, 0..<2)
        == records(0..<1) + record("a", "") + records(1..<2) + record("b", "GG"))
  }

  @Test("a record moved behind the parsed text is written from there")
  func appended() throws {
    let batch = try FASTQBatch(segments: 1)
    try fill(batch, [records(0..<2)])
    try batch.parse(endsFile: true)
    let text = batch.segments[0].text
    // Laid out as if it were canonical, with other bytes in the gaps.
    let end = text.bytes.count
    try Array("?n?G???I".utf8).withUnsafeBufferPointer {
      try text.bytes.append($0.baseAddress!, $0.count)
    }
    batch.segments[0].records.start[0] = FASTQRecord(
      name: end + 1, nameLength: 1, sequence: end + 3, quality: end + 7, length: 1)
    #expect(try encoded(batch, 0..<1) == record("n", "G") + records(1..<2))
  }

  @Test("the output grows behind what it holds")
  func appends() throws {
    var output = GrowableMemory<UInt8>()
    let batch = try FASTQBatch(segments: 1)
    for block in 0..<3 {
      batch.clear()
      try fill(batch, [records(block..<block + 1)])
      try batch.parse(endsFile: true)
      try FASTQEncoder.encode(batch, segments: [0], into: &output)
    }
    let text = String(
      decoding: UnsafeBufferPointer(start: output.start, count: output.count), as: UTF8.self)
    #expect(text == records(0..<3))
  }

  @Test("no reads come to no bytes")
  func empty() throws {
    let batch = try FASTQBatch(segments: 1)
    #expect(try encoded(batch, 0..<1) == "")
    try fill(batch, [records(0..<2)])
    try batch.parse(endsFile: true)
    batch.dropKept(0..<2)
    #expect(try encoded(batch, 0..<1) == "")
  }
}
