// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct StepParserTests {
  private func value(_ text: String) throws -> StepValue {
    try StepParser.parse("Step key=\(text)").parameters[0].value
  }

  @Test(
    "values that TOML reads have its types, all others are text",
    arguments: [
      ("5", .int(5)), ("-17", .int(-17)), ("+1_000", .int(1000)), ("0", .int(0)),
      ("0x1F", .int(31)), ("0o17", .int(15)), ("0b101", .int(5)),
      ("9223372036854775807", .int(Int.max)), ("-9223372036854775808", .int(Int.min)),
      ("9223372036854775808", .text("9223372036854775808")),
      ("007", .text("007")), ("1__0", .text("1__0")), ("_1", .text("_1")), ("0x", .text("0x")),
      ("0.5", .double(0.5)), ("-1e3", .double(-1000)), ("6.626e-34", .double(6.626e-34)),
      ("1_0.2_5", .double(10.25)), ("inf", .double(.infinity)), ("-inf", .double(-.infinity)),
      (".5", .text(".5")), ("5.", .text("5.")), ("1e", .text("1e")), ("00.5", .text("00.5")),
      ("true", .bool(true)), ("false", .bool(false)), ("True", .text("True")),
      ("\"a\\tb\\u00e9\"", .text("a\tb\u{e9}")), ("'a\\tb'", .text("a\\tb")),
      ("[1, 2.5, 'x' ]", .list([.int(1), .double(2.5), .text("x")])), ("[]", .list([])),
      ("[[1], [true,]]", .list([.list([.int(1)]), .list([.bool(true)])])),
      (
        "[{a = 1, b-c='x'},{}]",
        .list([
          .table([StepParameter("a", .int(1)), StepParameter("b-c", .text("x"))]), .table([]),
        ])
      ),
      ("{a=1,a=2}", .text("{a=1,a=2}")), ("{a=1", .text("{a=1")),
      ("AGTC", .text("AGTC")), ("", .text("")), ("a=b", .text("a=b")), ("''", .text("")),
      ("a\\ b", .text("a b")), ("x\"y z\"'q'", .text("xy zq")), ("\"y\"z", .text("yz")),
      ("\"\\x\"", .text("x")), ("[A,C]", .text("[A,C]")), ("a[b", .text("a[b")),
    ] as [(String, StepValue)])
  func values(text: String, expected: StepValue) throws {
    #expect(try value(text) == expected)
  }

  @Test("nan reads as a number")
  func notANumber() throws {
    guard case .double(let number) = try value("nan") else {
      Issue.record("nan is not a number")
      return
    }
    #expect(number.isNaN)
  }

  @Test("words are separated by blanks outside quotes and brackets")
  func words() throws {
    let request = try StepParser.parse(
      "  'Cut'Start\tn=5  segment=\"read 1\" list=[1, [ 'a b' ] ] x=y", origin: "--step 1")
    #expect(
      request
        == StepRequest(
          "CutStart",
          [
            StepParameter("n", .int(5)), StepParameter("segment", .text("read 1")),
            StepParameter("list", .list([.int(1), .list([.text("a b")])])),
            StepParameter("x", .text("y")),
          ], origin: "--step 1"))
  }

  @Test(
    "lines that are no step are refused",
    arguments: [
      "", "  ", "Head 5", "Head n=5 =3", "Head n='5", "Head n=\"5\\\"", "Head n=[1", "Head n=5\\",
    ])
  func refused(line: String) {
    #expect(throws: WorkpoolError.self) { try StepParser.parse(line) }
  }

  @Test("any cut of a line is read or refused")
  func cuts() {
    let line = Array("Step a=[1, \"x\\u00e9\", 'y'] b=0x1f c=\"q\\\" \" d=-1.5e-3 e=a\\ b".utf8)
    var read = 0
    for start in line.indices {
      for end in start...line.count {
        let part = String(decoding: line[start..<end], as: UTF8.self)
        if (try? StepParser.parse(part)) != nil { read += 1 }
      }
    }
    #expect(read > 0)
  }

  @Test("values are written as a configuration would have them")
  func texts() {
    #expect(
      StepValue.list([.int(-1), .double(0.1), .double(1e300), .bool(true), .text("x")]).text
        == "[-1, 0.1, 1e+300, true, \"x\"]")
  }
}
