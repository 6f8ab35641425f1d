// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct FASTASplitterTests {
  /// The blocks, where the stream arrives in pieces of `step` bytes.
  private func blocks(_ text: String, records: Int, step: Int) -> [String] {
    let bytes = Array(text.utf8)
    var splitter = Splitter.fasta(FASTASplitter(records: records))
    var (start, known) = (0, 0)
    var blocks: [String] = []
    while true {
      let isLast = known == bytes.count
      let cut = bytes[start..<known].withUnsafeBytes { splitter.cut($0, isLast: isLast) }
      switch cut {
      case .more: known = min(known + step, bytes.count)
      case .block(let size, _, _):
        blocks.append(String(decoding: bytes[start..<start + size], as: UTF8.self))
        start += size
      default: return blocks
      }
    }
  }

  @Test(
    "records are cut before a > at the start of a line, however they arrive",
    arguments: [1, 2, 3, 100])
  func cuts(step: Int) {
    let text = ">a\nAC\nGT\n>b >c\n\n>d\nA>\n>e"
    #expect(blocks(text, records: 2, step: step) == [">a\nAC\nGT\n>b >c\n\n", ">d\nA>\n>e"])
    #expect(blocks(text, records: 100, step: step) == [text])
    #expect(blocks("", records: 2, step: step) == [])
  }

  @Test("a record that is too long is one")
  func tooLong() {
    var splitter = Splitter.fasta(FASTASplitter(records: 2, maxRecord: 4))
    let cut = Array(">a\n>bcdef".utf8).withUnsafeBytes { splitter.cut($0, isLast: false) }
    #expect(cut == .recordTooLong(records: 1, lines: 1, start: 3))
  }
}
