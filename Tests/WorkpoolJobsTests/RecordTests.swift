// SPDX-License-Identifier: MIT
import Testing

@testable import WorkpoolJobs

@Suite struct RecordTests {
  private func parse(_ text: String) -> JSONValue? { try? JSONParser.parse(Array(text.utf8)) }

  @Test("JSON comes back as it was written")
  func roundTrip() {
    let value = JSONValue.object([
      .init("text", .text("a\"\\\n\t\u{1}ü😀")), .init("", .null),
      .init(
        "list", .list([.int(0), .int(.min), .int(.max), .double(0.5), .bool(true), .list([])])),
      .init("object", .object([])),
    ])
    #expect(parse(value.line) == value)
    #expect(
      parse(" [1 ,\n2.5e3, \"\\u00fc\\ud83d\\ude00\\/\"] ")
        == .list([.int(1), .double(2500), .text("ü😀/")]))
  }

  @Test(
    "what is no JSON is refused",
    arguments: [
      "", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "01", "-", "1.", "1e", "+1",
      "nul",
      "\"", "\"\\x\"", "\"\n\"", "\"\\ud800\"", "\"\\u12\"", "1 2", "[1}", "tru", "NaN", "'a'",
    ])
  func refused(_ text: String) { #expect(parse(text) == nil) }

  @Test("a text of brackets alone is refused and does not overflow the stack")
  func deep() { #expect(parse(String(repeating: "[", count: 100_000)) == nil) }

  @Test("texts that are no UTF-8 are refused")
  func notUTF8() {
    #expect((try? JSONParser.parse([34, 0xff, 34])) == nil)
    #expect((try? JSONParser.parse([34, 0xc3, 34])) == nil)
  }

  @Test("a JSON text cut anywhere is refused, and no byte makes the parser fail")
  func cut() {
    let bytes = Array("{\"a\":[1,-2.5e1,true,null,\"x\\u00fc\\n\"],\"b\":{\"c\":[]}}".utf8)
    for size in 0..<bytes.count {
      #expect((try? JSONParser.parse(Array(bytes[..<size]))) == nil)
      for byte in UInt8.min...UInt8.max {
        var changed = bytes
        changed[size] = byte
        _ = try? JSONParser.parse(changed)
      }
    }
  }

  @Test("lines know where they stand")
  func places() throws {
    let (_, places) = try JSONParser.parseWithPlaces(Array("{\n\"a\": [\n1,\n{\"b\": 2}]}".utf8))
    #expect(places.map { $0.path } == [["a"], ["a", "0"], ["a", "1"], ["a", "1", "b"]])
    #expect(places.map { $0.line } == [2, 3, 4, 4])
  }

  private func journal(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    for index in 0..<count {
      JournalLine.write([.init("n", .int(index)), .init("s", .text("x\n\"y"))], to: &bytes)
    }
    return bytes
  }

  @Test("a journal cut at every byte has the lines that are whole")
  func cutJournal() {
    let bytes = journal(4)
    for size in 0...bytes.count {
      let whole = bytes[..<size].count { $0 == 10 }
      #expect(
        JournalLine.read(Array(bytes[..<size])).map { $0["n"]?.int } == (0..<whole).map { $0 })
    }
  }

  @Test("a journal with any bit flipped has no line that was not written")
  func flippedJournal() {
    let bytes = journal(3)
    let written = JournalLine.read(bytes)
    for place in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[place] ^= 1 << UInt8(bit)
        let read = JournalLine.read(changed)
        #expect(read.count < 3 && read.allSatisfy { written.contains($0) })
      }
    }
  }

  @Test("the check is that of gzip")
  func checksum() {
    #expect(Checksum.crc32(Array("123456789".utf8)[...]) == 0xcbf4_3926)
  }

  @Test("names of files keep ids apart")
  func fileNames() {
    #expect(RunName.fileName("a_b-1.x") == "a_b-1.x")
    #expect(RunName.fileName("a/b") != RunName.fileName("a:b"))
    for id in ["a/b", ".", "..", ".x", "ü", String(repeating: "x", count: 200), "a b"] {
      let name = RunName.fileName(id)
      #expect(name != id && name.utf8.count <= 120 && !name.hasPrefix(".") && !name.contains("/"))
      #expect(RunName.fileName(name) == name)
    }
  }

  @Test("ULIDs sort by time, times are those of the calendar")
  func names() {
    let zero = [UInt8](repeating: 0, count: 10)
    let full = [UInt8](repeating: 255, count: 10)
    #expect(RunName.ulid(milliseconds: 0, random: zero) == String(repeating: "0", count: 26))
    #expect(
      RunName.ulid(milliseconds: 1_469_918_176_385, random: full)
        == "01ARYZ6S41" + String(repeating: "Z", count: 16))
    #expect(RunName.isULID(RunName.ulid()) && RunName.ulid() != RunName.ulid())
    #expect(!RunName.isULID("jobs") && !RunName.isULID(String(repeating: "U", count: 26)))
    #expect(RunName.isoTime(0) == "1970-01-01T00:00:00.000Z")
    #expect(RunName.isoTime(951_827_696_007_000_000) == "2000-02-29T12:34:56.007Z")
    #expect(RunName.isoTime(4_102_444_799_999_000_000) == "2099-12-31T23:59:59.999Z")
  }
}
