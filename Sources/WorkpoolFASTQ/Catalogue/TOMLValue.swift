// SPDX-License-Identifier: MIT
import CPlatform

/// Reads the value of a key as TOML 1.0 writes it: integer, float, boolean, string on one line, or
/// a list or an inline table of these.
package enum TOMLValue {
  /// - Returns: nil where the text is no such value as a whole.
  package static func read(_ text: some Collection<UInt8>) -> StepValue? {
    var reader = Reader(bytes: Array(text))
    guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
    return value
  }

  private struct Reader {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }
    var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func take(_ byte: UInt8) -> Bool {
      guard next == byte else { return false }
      index += 1
      return true
    }

    mutating func skipBlanks() {
      while take(UInt8(ascii: " ")) || take(UInt8(ascii: "\t")) || take(UInt8(ascii: "\n"))
        || take(UInt8(ascii: "\r"))
      {}
    }

    mutating func value(depth: Int) -> StepValue? {
      switch next {
      case UInt8(ascii: "\""): basicString().map { .text($0) }
      case UInt8(ascii: "'"): literalString().map { .text($0) }
      case UInt8(ascii: "["): depth < 8 ? list(depth: depth) : nil
      case UInt8(ascii: "{"): depth < 8 ? table(depth: depth) : nil
      default: scalar()
      }
    }

    mutating func list(depth: Int) -> StepValue? {
      guard take(UInt8(ascii: "[")) else { return nil }
      var values: [StepValue] = []
      while true {
        skipBlanks()
        if take(UInt8(ascii: "]")) { return .list(values) }
        guard let value = value(depth: depth + 1) else { return nil }
        values.append(value)
        skipBlanks()
        guard take(UInt8(ascii: ",")) || next == UInt8(ascii: "]") else { return nil }
      }
    }

    /// An inline table with bare keys.
    mutating func table(depth: Int) -> StepValue? {
      guard take(UInt8(ascii: "{")) else { return nil }
      var members: [StepParameter] = []
      while true {
        skipBlanks()
        if members.isEmpty, take(UInt8(ascii: "}")) { return .table(members) }
        let start = index
        while let byte = next, byte &- 48 < 10 || (byte | 32) &- 97 < 26 || byte == 95 || byte == 45
        {
          index += 1
        }
        let key = String(decoding: bytes[start..<index], as: UTF8.self)
        skipBlanks()
        guard index > start, take(UInt8(ascii: "=")) else { return nil }
        skipBlanks()
        guard !members.contains(where: { $0.key == key }), let value = value(depth: depth + 1)
        else { return nil }
        members.append(StepParameter(key, value))
        skipBlanks()
        if take(UInt8(ascii: "}")) { return .table(members) }
        guard take(UInt8(ascii: ",")) else { return nil }
      }
    }

    mutating func literalString() -> String? {
      guard take(UInt8(ascii: "'")) else { return nil }
      let start = index
      while let byte = next {
        index += 1
        if byte == UInt8(ascii: "'") {
          return String(decoding: bytes[start..<index - 1], as: UTF8.self)
        }
        guard isAllowed(byte) else { return nil }
      }
      return nil
    }

    mutating func basicString() -> String? {
      guard take(UInt8(ascii: "\"")) else { return nil }
      var text: [UInt8] = []
      while let byte = next {
        index += 1
        if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
        guard isAllowed(byte) else { return nil }
        if byte != UInt8(ascii: "\\") {
          text.append(byte)
        } else if let character = escape() {
          for unit in UTF8.encode(character)! { text.append(unit) }
        } else {
          return nil
        }
      }
      return nil
    }

    func isAllowed(_ byte: UInt8) -> Bool {
      byte == UInt8(ascii: "\t") || byte >= 32 && byte != 127
    }

    mutating func escape() -> Unicode.Scalar? {
      guard let letter = next else { return nil }
      index += 1
      switch letter {
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "f"): return "\u{c}"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "\""): return "\""
      case UInt8(ascii: "\\"): return "\\"
      case UInt8(ascii: "u"): return scalar(digits: 4)
      case UInt8(ascii: "U"): return scalar(digits: 8)
      default: return nil
      }
    }

    mutating func scalar(digits: Int) -> Unicode.Scalar? {
      guard bytes.count - index >= digits else { return nil }
      var value: UInt32 = 0
      for byte in bytes[index..<index + digits] {
        guard let digit = digitValue(byte), digit < 16 else { return nil }
        value = value &* 16 &+ UInt32(digit)
      }
      index += digits
      return Unicode.Scalar(value)
    }

    /// Booleans and numbers, up to the next comma, bracket or blank.
    mutating func scalar() -> StepValue? {
      let start = index
      let stops: [UInt8] = [44, 93, 125, 32, 9, 10, 13]
      while let byte = next, !stops.contains(byte) { index += 1 }
      let word = Array(bytes[start..<index])
      let text = String(decoding: word, as: UTF8.self)
      if text == "true" { return .bool(true) }
      if text == "false" { return .bool(false) }
      if let integer = integer(word) { return .int(integer) }
      return float(word).map { .double($0) }
    }

    func integer(_ word: [UInt8]) -> Int? {
      var digits = word[...]
      var isNegative = false
      if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        isNegative = sign == UInt8(ascii: "-")
        digits.removeFirst()
      }
      var radix = 10
      if digits.count > 2, digits.first == UInt8(ascii: "0"), digits.count == word.count {
        switch digits[1] {
        case UInt8(ascii: "x"): radix = 16
        case UInt8(ascii: "o"): radix = 8
        case UInt8(ascii: "b"): radix = 2
        default: return nil
        }
        digits = digits.dropFirst(2)
      } else if digits.count > 1, digits.first == UInt8(ascii: "0") {
        return nil
      }
      guard let plain = withoutUnderscores(digits) else { return nil }
      var value = 0
      for byte in plain {
        guard let digit = digitValue(byte), digit < radix else { return nil }
        let (scaled, overflow) = value.multipliedReportingOverflow(by: radix)
        let (sum, tooLarge) =
          isNegative
          ? scaled.subtractingReportingOverflow(digit) : scaled.addingReportingOverflow(digit)
        guard !overflow, !tooLarge else { return nil }
        value = sum
      }
      return value
    }

    func float(_ word: [UInt8]) -> Double? {
      var rest = word[...]
      if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        rest.removeFirst()
      }
      let plain = String(decoding: rest, as: UTF8.self)
      if plain == "inf" { return word.first == UInt8(ascii: "-") ? -.infinity : .infinity }
      if plain == "nan" { return .nan }
      let mantissaEnd = rest.firstIndex { $0 | 32 == UInt8(ascii: "e") } ?? rest.endIndex
      let point = rest[..<mantissaEnd].firstIndex(of: UInt8(ascii: "."))
      let whole = rest[..<(point ?? mantissaEnd)]
      var parts = [whole]
      if let point { parts.append(rest[(point + 1)..<mantissaEnd]) }
      if mantissaEnd < rest.endIndex {
        var exponent = rest[(mantissaEnd + 1)...]
        if let sign = exponent.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
          exponent.removeFirst()
        }
        parts.append(exponent)
      }
      guard parts.count > 1, whole.count == 1 || whole.first != UInt8(ascii: "0") else {
        return nil
      }
      for part in parts {
        guard let digits = withoutUnderscores(part), digits.allSatisfy({ $0 &- 48 < 10 })
        else { return nil }
      }
      var value = 0.0
      let text = word.filter { $0 != UInt8(ascii: "_") }.map { CChar(bitPattern: $0) } + [0]
      return text.withUnsafeBufferPointer { wpl_parse_double($0.baseAddress, &value) } == 1
        ? value : nil
    }

    /// Digits with single underscores between them; nil if there is none or one is elsewhere.
    func withoutUnderscores(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
      var plain: [UInt8] = []
      var mayBeUnderscore = false
      for byte in digits {
        if byte == UInt8(ascii: "_") {
          guard mayBeUnderscore else { return nil }
          mayBeUnderscore = false
        } else {
          plain.append(byte)
          mayBeUnderscore = true
        }
      }
      return mayBeUnderscore ? plain : nil
    }

    func digitValue(_ byte: UInt8) -> Int? {
      if byte &- UInt8(ascii: "0") < 10 { return Int(byte &- UInt8(ascii: "0")) }
      let letter = byte | 32
      return letter &- UInt8(ascii: "a") < 6 ? Int(letter &- UInt8(ascii: "a")) + 10 : nil
    }
  }
}
