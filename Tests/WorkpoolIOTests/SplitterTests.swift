// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

/// Every block of `stream` when it arrives in pieces that end at `arrivals`, with its counts.
private func blocks(
  _ stream: Bytes, _ splitter: Splitter, arrivals: [Int]
) -> [(bytes: Bytes, records: Int, lines: Int)] {
  var splitter = splitter
  var out: [(bytes: Bytes, records: Int, lines: Int)] = []
  var start = 0
  var arrivals = arrivals[...]
  var end = arrivals.popFirst() ?? stream.count
  while true {
    let isLast = arrivals.isEmpty && end == stream.count
    let cut = Bytes(stream[start..<end]).withUnsafeBytes { splitter.cut($0, isLast: isLast) }
    switch cut {
    case .block(let size, let records, let lines):
      out.append((Bytes(stream[start..<start + size]), records, lines))
      start += size
    case .more:
      precondition(!isLast, "more behind the end")
      end = arrivals.popFirst() ?? stream.count
    case .end:
      return out
    case .recordTooLong(let records, let lines, let at):
      out.append((Bytes("too long \(at + start)".utf8), records, lines))
      return out
    case .remainder(let records, let at):
      out.append((Bytes("remainder \(at + start)".utf8), records, 0))
      return out
    }
  }
}

private func text(_ bytes: Bytes) -> String { String(decoding: bytes, as: UTF8.self) }
private func cuts(_ stream: String, _ splitter: Splitter) -> [String] {
  blocks(Bytes(stream.utf8), splitter, arrivals: []).map { text($0.bytes) }
}

/// The same blocks, whatever pieces the stream arrives in.
private func expectSameCuts(
  _ stream: String, _ splitter: Splitter, _ location: SourceLocation = #_sourceLocation
) {
  let bytes = Bytes(stream.utf8)
  func cut(_ arrivals: [Int]) -> [String] {
    blocks(bytes, splitter, arrivals: arrivals).map {
      "\(text($0.bytes)) \($0.records) \($0.lines)"
    }
  }
  let wanted = cut([])
  for size in [1, 2, 3, 7] {
    #expect(
      cut(Array(stride(from: 0, through: bytes.count, by: size))) == wanted, "pieces of \(size)",
      sourceLocation: location)
  }
  for first in 0...bytes.count {
    #expect(cut([first]) == wanted, "cut at \(first)", sourceLocation: location)
    if bytes.count <= 60 {
      for second in first...bytes.count {
        #expect(
          cut([first, second]) == wanted, "cuts at \(first) and \(second)", sourceLocation: location
        )
      }
    }
  }
}

@Suite struct LineSplitterTests {
  @Test("blocks hold so many lines; the last line may lack its end")
  func counts() {
    #expect(cuts("a\nb\nc\n", .lines(.init(.records(2)))) == ["a\nb\n", "c\n"])
    #expect(cuts("a\nb\nc", .lines(.init(.records(1)))) == ["a\n", "b\n", "c"])
    #expect(cuts("\n\n\n", .lines(.init(.records(2)))) == ["\n\n", "\n"])
    #expect(cuts("", .lines(.init(.records(2)))) == [])
    #expect(cuts("a\0b\nc\0", .lines(.init(.records(1), delimiter: 0))) == ["a\0", "b\nc\0"])
  }

  @Test("blocks hold so many bytes and go on to the end of the line")
  func bytes() {
    #expect(cuts("ab\ncd\nef", .lines(.init(.bytes(3)))) == ["ab\n", "cd\n", "ef"])
    #expect(cuts("ab\ncd\nef", .lines(.init(.bytes(4)))) == ["ab\ncd\n", "ef"])
    #expect(cuts("ab\ncd\nef", .lines(.init(.bytes(1)))) == ["ab\n", "cd\n", "ef"])
  }

  @Test("counts say how many lines a block has")
  func lines() {
    let found = blocks(Bytes("a\nb\nc".utf8), .lines(.init(.bytes(100))), arrivals: [])
    #expect(found.count == 1 && found[0].records == 3 && found[0].lines == 3)
  }

  @Test("a line over the limit is named, complete or not, at any place")
  func tooLong() {
    let splitter = Splitter.lines(.init(.records(5), maxRecord: 4))
    #expect(cuts("abc\nabcd\nx\n", splitter) == ["too long 4"])
    #expect(cuts("abc\nabcd", splitter) == ["abc\nabcd"])
    #expect(cuts("abc\nabcde", splitter) == ["too long 4"])
    expectSameCuts("abc\nabcd\nx\n", splitter)
  }

  @Test("cuts do not depend on how the stream arrives")
  func arrival() {
    for stream in ["", "\n", "a", "a\nbb\n\nccc\ndddd", "aaaa\nb\nc\nd\ne\n"] {
      for splitter in [
        LineSplitter(.records(1)), .init(.records(2)), .init(.bytes(3)), .init(.bytes(6)),
      ] {
        expectSameCuts(stream, .lines(splitter))
      }
    }
  }
}

@Suite struct FixedSplitterTests {
  @Test("blocks hold so many records of one size")
  func counts() {
    #expect(cuts("aabbcc", .fixed(.init(recordSize: 2, count: 2))) == ["aabb", "cc"])
    #expect(cuts("", .fixed(.init(recordSize: 2, count: 2))) == [])
    #expect(cuts("abcde", .fixed(.init(recordSize: 1, count: 2))) == ["ab", "cd", "e"])
    #expect(cuts("abc", .fixed(.init(recordSize: 2, count: Int.max))) == ["remainder 2"])
  }

  @Test("less than a record at the end is refused or the last record, as asked")
  func remainder() {
    #expect(cuts("aabbc", .fixed(.init(recordSize: 2, count: 1))) == ["aa", "bb", "remainder 4"])
    #expect(
      cuts("aabbc", .fixed(.init(recordSize: 2, count: 2, allowsPartial: true))) == ["aabb", "c"])
    let found = blocks(
      Bytes("aabbc".utf8), .fixed(.init(recordSize: 2, count: 9, allowsPartial: true)), arrivals: []
    )
    #expect(found[0].records == 3)
  }

  @Test("cuts do not depend on how the stream arrives")
  func arrival() {
    for stream in ["", "a", "abcdefgh", "abcdefghi"] {
      expectSameCuts(stream, .fixed(.init(recordSize: 2, count: 2)))
      expectSameCuts(stream, .fixed(.init(recordSize: 3, count: 1, allowsPartial: true)))
    }
  }
}

@Suite struct FASTQSplitterTests {
  private func fastq(_ count: Int, _ maxRecord: Int = 1000) -> Splitter {
    .fastq(.init(records: count, maxRecord: maxRecord))
  }
  private let one = "@a\nAC\n+\nII\n", two = "@b\n\n+\n\n", three = "@c\r\nA\r\n+\r\n@\r\n"

  @Test("blocks hold exactly so many records, fewer at the end")
  func counts() {
    #expect(cuts(one + two + three, fastq(2)) == [one + two, three])
    #expect(cuts(one + two + three, fastq(1)) == [one, two, three])
    #expect(cuts(one + two + three, fastq(3)) == [one + two + three])
    #expect(cuts("", fastq(3)) == [])
  }

  @Test("the last record may lack the end of its last line, which may be empty")
  func lastLine() {
    #expect(cuts(one + one.dropLast(), fastq(1)) == [one, String(one.dropLast())])
    let found = blocks(Bytes((one + "@empty\n\n+\n").utf8), fastq(10), arrivals: [])
    #expect(found.count == 1 && found[0].records == 2 && found[0].lines == 7)
  }

  @Test("blank lines at the end make no record, however many there are")
  func blankEnd() {
    for blanks in ["\n", "\r\n", "\r", "\n\n\n", "\n\n\n\n", "\n\r\n\n\n\r\n\n\n\n\n"] {
      for count in 1...4 {
        let found = blocks(Bytes((one + two + three + blanks).utf8), fastq(count), arrivals: [])
        #expect(found.map(\.records).reduce(0, +) == 3, "\(blanks.debugDescription)")
        #expect(text(found.flatMap(\.bytes)) == one + two + three)
        #expect(found.map(\.lines).reduce(0, +) == 12)
      }
    }
    #expect(cuts("\n\n\n\n\n", fastq(1)) == [])
  }

  @Test("a blank line between records begins a block, which has it")
  func blankInside() {
    #expect(cuts(one + two + "\n" + three, fastq(9)) == [one + two, "\n" + three])
    #expect(cuts(one + "\r\n\n" + one, fastq(1))[1].hasPrefix("\r\n\n@a"))
    #expect(cuts("\n" + one, fastq(9)) == ["\n" + one])
  }

  @Test("what is cut off at the end is left to the parser as one record")
  func cutOff() {
    for count in 1..<one.utf8.count - 1 {
      let found = blocks(Bytes((two + one.prefix(count)).utf8), fastq(9), arrivals: [])
      #expect(found.count == 1 && found[0].records == 2)
    }
  }

  @Test("a record over the limit is named, complete or not")
  func tooLong() {
    #expect(cuts(one + two, fastq(5, 10)) == ["too long 0"])
    #expect(cuts(one + two, fastq(5, 11)) == [one + two])
    #expect(cuts(two + one, fastq(5, 10)) == ["too long 7"])
    #expect(cuts(two + "@abcdefghij", fastq(5, 10)) == ["too long 7"])
    #expect(cuts(two + String(repeating: "\n", count: 12), fastq(5, 10)) == [two, "too long 7"])
    expectSameCuts(two + one, fastq(5, 10))
    expectSameCuts(one + String(repeating: "\n", count: 14) + two, fastq(5, 11))
  }

  @Test("cuts do not depend on how the stream arrives")
  func arrival() {
    let streams: [String] = [
      "\(one)\(two)\(three)", "\(one)\(two)@d\n\n+\n", "\(one)\n\r\n\r", "\(two)\r\n\(two)",
      "\r\(one)", "\(one)\(two.dropLast(2))", "\n\n\(two)", "\(one)\n\n\n\n\n", "@x\nA",
      "\(two)\r@",
    ]
    for stream in streams {
      for count in 1...3 { expectSameCuts(stream, fastq(count)) }
    }
  }
}
