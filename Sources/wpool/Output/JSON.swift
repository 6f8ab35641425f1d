// SPDX-License-Identifier: MIT

/// A value as RFC 8259 writes it; objects keep their order.
enum JSON {
  case null
  case bool(Bool)
  case number(Double)
  case integer(UInt64)
  case signed(Int64)
  case string(String)
  case array([JSON])
  case object([(String, JSON)])

  init(_ number: UInt64) { self = .integer(number) }
  init(_ number: Int) { self = .signed(Int64(number)) }
  init(_ text: String) { self = .string(text) }
  init(_ text: String?) { self = text.map { .string($0) } ?? .null }

  /// On one line.
  var line: String {
    var text = ""
    write(to: &text, indent: nil)
    return text
  }

  /// On lines of two more blanks for each depth.
  var indented: String {
    var text = ""
    write(to: &text, indent: 0)
    return text
  }

  /// On lines of two more blanks for each depth, with a line end.
  var page: String {
    var text = ""
    write(to: &text, indent: 0)
    return text + "\n"
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .integer(let value): text += String(value)
    case .signed(let value): text += String(value)
    case .string(let value): Self.write(value, to: &text)
    case .array(let values):
      Self.write(values, "[", "]", to: &text, indent: indent) { value, text, inner in
        value.write(to: &text, indent: inner)
      }
    case .object(let members):
      Self.write(members, "{", "}", to: &text, indent: indent) { member, text, inner in
        Self.write(member.0, to: &text)
        text += inner == nil ? ":" : ": "
        member.1.write(to: &text, indent: inner)
      }
    }
  }

  private static func write<Element>(
    _ elements: [Element], _ open: String, _ close: String, to text: inout String, indent: Int?,
    _ writeOne: (Element, inout String, Int?) -> Void
  ) {
    text += open
    let inner = indent.map { $0 + 1 }
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let inner { text += "\n" + String(repeating: "  ", count: inner) }
      writeOne(element, &text, inner)
    }
    if let indent, !elements.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
    text += close
  }

  private static func write(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 32:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
