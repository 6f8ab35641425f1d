// SPDX-License-Identifier: MIT
import CPlatform

/// Reads one JSON text (RFC 8259), strictly. Whatever the bytes are, it ends with a value or a fault.
public struct JSONParser {
  public struct Fault: Error, Equatable, Sendable {
    /// Bytes before the place.
    public var offset: Int
    /// From 1.
    public var line: Int
    public var message: String

    public init(offset: Int, line: Int, message: String) {
      self.offset = offset
      self.line = line
      self.message = message
    }
  }

  /// Where a member or an element stands.
  public struct Place: Sendable {
    /// Keys, and positions in lists.
    public var path: [String]
    public var line: Int
  }

  /// Deeper texts are refused: each depth takes stack.
  public static let mostDepth = 64

  private let bytes: [UInt8]
  private var index: Int
  private let end: Int
  private var line = 1
  private let keepsPlaces: Bool
  private var path: [String] = []
  private var places: [Place] = []

  private init(_ bytes: [UInt8], _ range: Range<Int>, keepsPlaces: Bool) {
    self.bytes = bytes
    index = range.lowerBound
    end = range.upperBound
    self.keepsPlaces = keepsPlaces
  }

  public static func parse(_ bytes: [UInt8]) throws(Fault) -> JSONValue {
    try parse(bytes, in: 0..<bytes.count)
  }

  public static func parse(_ bytes: [UInt8], in range: Range<Int>) throws(Fault) -> JSONValue {
    var parser = JSONParser(bytes, range, keepsPlaces: false)
    return try parser.whole()
  }

  /// The same, with the lines of all that is in it.
  public static func parseWithPlaces(
    _ bytes: [UInt8]
  ) throws(Fault) -> (value: JSONValue, places: [Place]) {
    var parser = JSONParser(bytes, 0..<bytes.count, keepsPlaces: true)
    let value = try parser.whole()
    return (value, parser.places)
  }

  private mutating func whole() throws(Fault) -> JSONValue {
    let value = try value(depth: 0)
    skipBlanks()
    guard index == end else { throw fault("something follows the value") }
    return value
  }

  // MARK: Values

  private mutating func value(depth: Int) throws(Fault) -> JSONValue {
    skipBlanks()
    guard depth <= Self.mostDepth else { throw fault("too deep") }
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try list(depth: depth)
    case UInt8(ascii: "\""): return .text(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw fault("the text ends where a value is expected")
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(Fault) -> JSONValue {
    index += 1
    var members: [JSONValue.Member] = []
    skipBlanks()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipBlanks()
      guard next == UInt8(ascii: "\"") else { throw fault("a name in quotes is expected") }
      let start = line
      let key = try string()
      skipBlanks()
      guard take(UInt8(ascii: ":")) else { throw fault("a colon is expected") }
      members.append(JSONValue.Member(key, try inside(key, start, depth: depth)))
      skipBlanks()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else { throw fault("a comma or a brace is expected") }
    }
  }

  private mutating func list(depth: Int) throws(Fault) -> JSONValue {
    index += 1
    var values: [JSONValue] = []
    skipBlanks()
    if take(UInt8(ascii: "]")) { return .list(values) }
    while true {
      skipBlanks()
      values.append(
        try inside(keepsPlaces ? String(values.count) : "", line, depth: depth))
      skipBlanks()
      if take(UInt8(ascii: "]")) { return .list(values) }
      guard take(UInt8(ascii: ",")) else { throw fault("a comma or a bracket is expected") }
    }
  }

  private mutating func inside(
    _ name: String, _ start: Int, depth: Int
  ) throws(Fault) -> JSONValue {
    guard keepsPlaces else { return try value(depth: depth + 1) }
    path.append(name)
    places.append(Place(path: path, line: start))
    let value = try value(depth: depth + 1)
    path.removeLast()
    return value
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(Fault) -> JSONValue {
    let size = text.utf8CodeUnitCount
    guard end - index >= size else { throw fault("this is no value") }
    for offset in 0..<size where bytes[index + offset] != text.utf8Start[offset] {
      throw fault("this is no value")
    }
    index += size
    return value
  }

  private mutating func number() throws(Fault) -> JSONValue {
    let start = index
    var isInteger = true
    _ = take(UInt8(ascii: "-"))
    let first = next
    guard digits() > 0 else { throw fault("this is no value") }
    let digitsStart = bytes[start] == UInt8(ascii: "-") ? start + 1 : start
    if first == UInt8(ascii: "0"), index - digitsStart > 1 { throw fault("a number begins with 0") }
    if take(UInt8(ascii: ".")) {
      isInteger = false
      guard digits() > 0 else { throw fault("digits are expected") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isInteger = false
      index += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
      guard digits() > 0 else { throw fault("digits are expected") }
    }
    if isInteger, let number = integer(start..<index) { return .int(number) }
    var text: [CChar] = []
    for byte in bytes[start..<index] { text.append(CChar(bitPattern: byte)) }
    text.append(0)
    var value = 0.0
    guard text.withUnsafeBufferPointer({ wpl_parse_double($0.baseAddress, &value) }) == 1 else {
      throw fault("this is no number")
    }
    return .double(value)
  }

  private mutating func digits() -> Int {
    let start = index
    while let byte = next, byte &- 48 < 10 { index += 1 }
    return index - start
  }

  /// nil: it does not fit.
  private func integer(_ range: Range<Int>) -> Int? {
    var value = 0
    let isNegative = bytes[range.lowerBound] == UInt8(ascii: "-")
    for byte in bytes[(range.lowerBound + (isNegative ? 1 : 0))..<range.upperBound] {
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
      let digit = Int(byte &- 48)
      let (sum, tooLarge) =
        isNegative
        ? scaled.subtractingReportingOverflow(digit) : scaled.addingReportingOverflow(digit)
      if overflow || tooLarge { return nil }
      value = sum
    }
    return value
  }

  // MARK: Strings

  private mutating func string() throws(Fault) -> String {
    index += 1
    var text: [UInt8] = []
    let start = index
    // Most strings are as they stand there.
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 32 {
      index += 1
    }
    text.append(contentsOf: bytes[start..<index])
    while true {
      guard let byte = next else { throw fault("a string has no end") }
      index += 1
      if byte == UInt8(ascii: "\"") { break }
      if byte < 32 { throw fault("a string has a control character") }
      if byte != UInt8(ascii: "\\") {
        text.append(byte)
      } else {
        try escape(&text)
      }
    }
    guard let string = String(validating: text, as: UTF8.self) else {
      throw fault("a string is not UTF-8")
    }
    return string
  }

  private mutating func escape(_ text: inout [UInt8]) throws(Fault) {
    guard let letter = next else { throw fault("a string has no end") }
    index += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      var unit = try hexadecimal()
      if unit & 0xfc00 == 0xd800 {
        guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
          throw fault("half a surrogate pair")
        }
        let low = try hexadecimal()
        guard low & 0xfc00 == 0xdc00 else { throw fault("half a surrogate pair") }
        unit = 0x10000 + (unit & 0x3ff) << 10 + low & 0x3ff
      }
      guard let scalar = Unicode.Scalar(unit) else { throw fault("half a surrogate pair") }
      for byte in UTF8.encode(scalar)! { text.append(byte) }
    default: throw fault("an unknown escape")
    }
  }

  private mutating func hexadecimal() throws(Fault) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next else { throw fault("a string has no end") }
      let letter = byte | 32
      if byte &- 48 < 10 {
        value = value << 4 | UInt32(byte &- 48)
      } else if letter &- 97 < 6 {
        value = value << 4 | UInt32(letter &- 87)
      } else {
        throw fault("four hexadecimal digits are expected")
      }
      index += 1
    }
    return value
  }

  // MARK: Bytes

  private var next: UInt8? { index < end ? bytes[index] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    index += 1
    return true
  }

  private mutating func skipBlanks() {
    while let byte = next {
      switch byte {
      case 10: line += 1
      case 32, 9, 13: break
      default: return
      }
      index += 1
    }
  }

  private func fault(_ message: String) -> Fault {
    Fault(offset: index, line: line, message: message)
  }
}
