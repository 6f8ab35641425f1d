// SPDX-License-Identifier: MIT
import CPlatform

/// A value of RFC 8259. Objects keep their order.
public indirect enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case text(String)
  case list([JSONValue])
  case object([Member])

  public struct Member: Equatable, Sendable {
    public var key: String
    public var value: JSONValue

    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  // MARK: What it holds; nil where it is something else

  /// The first member of this name.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    for member in members where member.key == key { return member.value }
    return nil
  }
  public var text: String? { if case .text(let text) = self { text } else { nil } }
  public var int: Int? { if case .int(let number) = self { number } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var list: [JSONValue]? { if case .list(let values) = self { values } else { nil } }
  public var double: Double? {
    switch self {
    case .int(let number): Double(number)
    case .double(let number): number
    default: nil
    }
  }

  // MARK: Text

  /// On one line.
  public var line: String {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the value on one line.
  public func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: Self.put("null", &bytes)
    case .bool(let value): Self.put(value ? "true" : "false", &bytes)
    case .int(let number): Self.put(String(number), &bytes)
    case .double(let number): Self.put(number, &bytes)
    case .text(let text): Self.quote(text, to: &bytes)
    case .list(let values):
      bytes.append(UInt8(ascii: "["))
      for index in 0..<values.count {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        values[index].write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for index in 0..<members.count {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.quote(members[index].key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        members[index].value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func put(_ text: String, _ bytes: inout [UInt8]) {
    for byte in text.utf8 { bytes.append(byte) }
  }

  private static func put(_ number: Double, _ bytes: inout [UInt8]) {
    guard number.isFinite else { return put("null", &bytes) }
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(WPL_DOUBLE_TEXT_SIZE)) { text in
      let size = wpl_format_double(number, text.baseAddress!)
      for index in 0..<size { bytes.append(UInt8(bitPattern: text[index])) }
    }
  }

  public static func quote(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 10: put("\\n", &bytes)
      case 13: put("\\r", &bytes)
      case 9: put("\\t", &bytes)
      case 0..<32:
        put("\\u00", &bytes)
        for digit in [byte >> 4, byte & 15] { bytes.append(digit < 10 ? 48 + digit : 87 + digit) }
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
