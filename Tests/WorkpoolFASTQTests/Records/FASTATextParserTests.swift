// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FASTATextParserTests {
  private func parsed(_ text: String) throws -> String {
    let batch = try FASTQBatch(segments: 1)
    try fill(batch, [text])
    batch.segments[0].text.fakeQuality = UInt8(ascii: "I")
    try batch.parse(endsFile: true)
    return try encoded(batch, 0..<1)
  }

  @Test(
    "names, lines, blanks and line ends",
    arguments: [
      (">a\nACGT\n", "a ACGT"), (">a b  c\nAC\nG T\n\nTT", "a b  c ACG TTT"),
      (">a \t b\r\nAC \r\nGT\r\n", "a b ACGT"), (">a\n>b\n\nA\n", "a |b A"), (">a", "a "),
      ("\n>a\nA\n", "a A"), ("", ""),
    ])
  func records(text: String, expected: String) throws {
    let wanted = expected.isEmpty ? [] : expected.split(separator: "|")
    let lines = wanted.map { read in
      // The sequence is what stands behind the last blank, but for the one with a blank inside.
      let parts =
        read.contains("ACG TTT")
        ? ["a b  c", "ACG TTT"]
        : [
          String(read[..<read.lastIndex(of: " ")!]),
          String(read[read.lastIndex(of: " ")!...].dropFirst()),
        ]
      return record(parts[0], parts[1])
    }
    #expect(try parsed(text) == lines.joined())
  }

  @Test("an empty name, and text before the first record")
  func refused() {
    #expect(
      errorText { try parsed(">a\nA\n> \nC\n") }.contains("record 2 (byte 5): the name is empty"))
    #expect(
      errorText { try parsed("A\n>a\n") }.contains("record 1 (byte 0): the record does not begin"))
  }
}
