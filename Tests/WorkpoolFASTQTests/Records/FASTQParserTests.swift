// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct FASTQParserTests {
  static let plain = (0..<10).map { record("r\($0) c", "ACGTNACGT", "IIII#IIII") }.joined()

  private func parsed(_ text: String, endsFile: Bool = true) throws -> String {
    let batch = try FASTQBatch(segments: 1)
    try fill(batch, [text])
    try batch.parse(endsFile: endsFile)
    return try encoded(batch, 0..<1)
  }

  @Test(
    "line ends, blank lines at the end and the third line do not change the records",
    arguments: [
      plain,
      String(plain.dropLast()),
      plain.replacing("\n", with: "\r\n"),
      String(plain.replacing("\n", with: "\r\n").dropLast(1)),
      plain.replacing("r5 c\n", with: "r5 c\r\n").replacing("+\nIIII#", with: "+\r\nIIII#"),
      plain + "\n",
      plain + "\n\n\n",
      plain + "\r\n\r\n",
      plain.replacing("+\n", with: "+r0 c, or whatever\n"),
    ])
  func tolerated(text: String) throws {
    #expect(try parsed(text) == Self.plain)
  }

  @Test(
    "unusual but valid records come out as they went in",
    arguments: [
      record("r", "ACGTACGT", "@IIIIII@"), record("r", "ACGTACGT", "+IIIIII+"),
      plain + record("empty", "") + plain, plain + record("empty", ""), "",
      record("r", "AC\0T", "II\0I"), record("@", "@@", "++"), record("+", "++", "@@"),
    ])
  func unusual(text: String) throws {
    #expect(try parsed(text) == text)
  }

  @Test("a last empty record may lack the last line end")
  func emptyLast() throws {
    let text = Self.plain + record("empty", "")
    #expect(try parsed(String(text.dropLast())) == text)
    #expect(try parsed("\n\n") == "")
  }

  @Test(
    "what breaks a rule is named with record, line, byte and read",
    arguments: [
      (
        plain + "\n" + plain,
        "record 11 (line 41, byte 280): blank line between records"
      ),
      (
        plain + "@r\nACGT\nACGT\n+\nIIII\n@III\n",
        "record 11 (line 41, byte 280): read r: the sequence is wrapped over several lines; "
          + "a record has exactly four lines"
      ),
      (
        plain + "@bad x\nACGTACGT\nIIIIIIII\n" + plain,
        "record 11 (line 41, byte 280): read bad x: the third line begins with 'I' where '+' "
          + "is needed"
      ),
      (
        "@r\nACGT\n\n+\nIIII\n",
        "record 1 (line 1, byte 0): read r: the third line is empty where '+' is needed"
      ),
      (
        plain + "@bad\nACGTACGT\n+\nIII\n" + plain,
        "record 11 (line 41, byte 280): read bad: quality is shorter than sequence "
          + "(3 and 8 bytes)"
      ),
      (
        plain + "@bad\nACGT\n+\nIIIIIIII\n" + plain,
        "record 11 (line 41, byte 280): read bad: quality is longer than sequence "
          + "(8 and 4 bytes)"
      ),
      ("@\nACGT\n+\nIIII\n", "record 1 (line 1, byte 0): the name is empty"),
      ("@\r\nACGT\r\n+\r\nIIII\r\n", "record 1 (line 1, byte 0): the name is empty"),
      (
        ">r\nACGT\n", "record 1 (line 1, byte 0): the record begins with '>', not with '@'"
      ),
      (
        plain.replacing("@r3", with: "\0r3"),
        "record 4 (line 13, byte 84): the record begins with byte 0x00, not with '@'"
      ),
    ])
  func broken(text: String, message: String) {
    #expect(errorText { try parsed(text) } == message)
  }

  @Test(
    "a record that is cut says what it lacks",
    arguments: [
      (
        "@r0 ACGT + IIII",
        "read r0 ACGT + IIII: the input ends inside the record: has only its name line"
      ),
      ("@cut", "read cut: the input ends inside the record: has only its name line"),
      ("@cut\n", "read cut: the input ends inside the record: has no third line"),
      ("@cut\nACG", "read cut: the input ends inside the record: has no third line"),
      ("@cut\nACGT\n+", "read cut: the input ends inside the record: has no quality"),
      ("@cut\n\n+", "read cut: the input ends inside the record: has no quality"),
      (
        "@cut\nACGT\n+\n",
        "read cut: the input ends inside the record: quality is shorter than sequence "
          + "(0 and 4 bytes)"
      ),
    ])
  func cut(text: String, message: String) {
    #expect(errorText { try parsed(text) } == "record 1 (line 1, byte 0): " + message)
  }

  @Test("a file cut at any byte is an error or holds exactly the records before the cut")
  func everyCut() throws {
    for text in [
      Self.plain + record("e", "") + record("z", "A"), Self.plain.replacing("\n", with: "\r\n"),
    ] {
      let bytes = Array(text.utf8)
      let newline = UInt8(ascii: "\n")
      for size in 0...bytes.count {
        let part = String(decoding: bytes[..<size], as: UTF8.self)
        let lines = bytes[..<size].split(separator: newline, omittingEmptySubsequences: false)
        let whole = lines.count / 4
        // The line after the last line end is a record's fourth if the quality is complete.
        let isBorder =
          lines.count % 4 == 1 && lines.last!.isEmpty
          || lines.count % 4 == 0
            && lines[lines.count - 1].filter { $0 != 13 }.count
              == lines[lines.count - 3].filter { $0 != 13 }.count
            && lines[lines.count - 4].count > 1
        let found = Result { try parsed(part) }
        switch found {
        case .success(let output):
          #expect(isBorder, "cut at \(size)")
          #expect(
            output.utf8.split(separator: newline, omittingEmptySubsequences: false).count == 4
              * whole + 1)
        case .failure(let error):
          #expect(!isBorder, "cut at \(size): \(error)")
        }
      }
    }
  }

  @Test("any byte replaced by any of the special ones is read or refused, and never crashes")
  func everyReplacement() throws {
    let text = Array((record("r0 c", "ACGT") + record("e", "") + record("r1", "GG")).utf8)
    var refused = 0
    for index in text.indices {
      for byte: UInt8 in [0, 10, 13, 43, 64, 255] {
        var changed = text
        changed[index] = byte
        let batch = try FASTQBatch(segments: 1)
        try changed.withUnsafeBufferPointer {
          try batch.segments[0].text.bytes.append($0.baseAddress!, $0.count)
        }
        do {
          try batch.parse(endsFile: true)
          for read in 0..<batch.count {
            let record = batch.segments[0].records.start[read]
            #expect(record.name > 0 && record.nameLength > 0)
            #expect(record.sequence + record.length < record.quality)
            #expect(record.quality + record.length <= text.count)
          }
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 0)
  }

  @Test("the place counts from the block's place in its file")
  func origin() throws {
    let batch = try FASTQBatch(segments: 1)
    try fill(batch, [record("a", "A") + record("b", "AC", "I")])
    batch.segments[0].text.origin = FASTQOrigin(
      path: "x.fq", record: 1000, line: 4000, byte: 5_000_000_000)
    #expect(
      errorText { try batch.parse(endsFile: false) }
        == "x.fq: record 1002 (line 4005, byte 5000000009): read b: quality is shorter than "
        + "sequence (1 and 2 bytes)")
  }

  @Test("inside a file neither blank lines nor a missing line end may end a block")
  func middleBlock() {
    #expect(errorText { try parsed(records(0..<2) + "\n", endsFile: false) }.contains("blank line"))
    #expect(
      errorText { try parsed(String(records(0..<2).dropLast()), endsFile: false) }
        .contains("record 2 (line 5, byte 16): read r1"))
  }

  @Test("long names are shortened and control characters escaped in messages")
  func visibleNames() {
    let name = "a\tb" + String(repeating: "x", count: 200)
    let text = errorText { try parsed("@\(name)\nA\nA\n") }
    #expect(text.contains("read a\\x09bxxx"))
    #expect(text.contains("…: "))
    #expect(text.utf8.count < 250)
  }
}
