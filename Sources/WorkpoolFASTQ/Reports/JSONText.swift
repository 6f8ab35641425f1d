// SPDX-License-Identifier: MIT

/// Writes JSON (RFC 8259) with two blanks of indent for each depth.
struct JSONText {
  private var bytes: [UInt8] = []
  /// For each open object or array, whether it has something in it.
  private var open: [Bool] = []
  private var isBehindKey = false

  var text: String { String(decoding: bytes, as: UTF8.self) }

  mutating func beginObject() { begin("{") }
  mutating func endObject() { end("}") }
  mutating func beginArray() { begin("[") }
  mutating func endArray() { end("]") }

  mutating func key(_ name: String) {
    place()
    string(name)
    put(": ")
    isBehindKey = true
  }

  mutating func number(_ number: Int) {
    place()
    put(String(number))
  }

  /// JSON has no number that is none: null stands for it.
  mutating func number(_ number: Double) {
    place()
    guard number.isFinite else { return put("null") }
    let text = doubleText(number)
    let isWhole = text.utf8.allSatisfy { $0 &- 48 < 10 || $0 == UInt8(ascii: "-") }
    put(isWhole ? text + ".0" : text)
  }

  mutating func value(_ text: String) {
    place()
    string(text)
  }

  /// A value that is JSON already, moved in by this depth.
  mutating func raw(_ json: String) {
    place()
    for byte in json.utf8 {
      bytes.append(byte)
      if byte == 10 { indent(open.count) }
    }
  }

  private mutating func begin(_ bracket: String) {
    place()
    put(bracket)
    open.append(false)
  }

  private mutating func end(_ bracket: String) {
    if open.popLast() == true {
      bytes.append(10)
      indent(open.count)
    }
    put(bracket)
  }

  /// Comma, line end and indent before a value or key.
  private mutating func place() {
    if isBehindKey {
      isBehindKey = false
      return
    }
    guard let hasValues = open.last else { return }
    if hasValues { put(",") }
    open[open.count - 1] = true
    bytes.append(10)
    indent(open.count)
  }

  private mutating func indent(_ depth: Int) {
    for _ in 0..<2 * depth { bytes.append(32) }
  }

  private mutating func put(_ text: String) { bytes += Array(text.utf8) }

  private mutating func string(_ text: String) {
    put("\"")
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): put("\\\"")
      case UInt8(ascii: "\\"): put("\\\\")
      case 10: put("\\n")
      case 13: put("\\r")
      case 9: put("\\t")
      case 0..<32:
        put("\\u00")
        for digit in [byte >> 4, byte & 15] { bytes.append(digit < 10 ? 48 + digit : 87 + digit) }
      default: bytes.append(byte)
      }
    }
    put("\"")
  }
}
