// SPDX-License-Identifier: MIT
import Workpool

/// A text with `{name}` for values of `foreach`; `{{` is a brace, and the `}}` that belongs to it too.
struct Template {
  enum Part: Equatable {
    case text(String)
    case value(name: String, isRaw: Bool)
  }

  let text: String
  let parts: [Part]

  /// - Parameter isShell: in lines for a shell, `${name}` is the shell's.
  init(_ text: String, isShell: Bool = false) {
    self.text = text
    var parts: [Part] = []
    var plain = ""
    var openBraces = 0
    var rest = text[...]
    while let character = rest.first {
      if rest.hasPrefix("{{") {
        plain += "{"
        openBraces += 1
        rest = rest.dropFirst(2)
      } else if rest.hasPrefix("}}") && openBraces > 0 {
        plain += "}"
        openBraces -= 1
        rest = rest.dropFirst(2)
      } else if character == "{", !(isShell && plain.last == "$"),
        let (name, isRaw, end) = Self.placeholder(rest)
      {
        if !plain.isEmpty { parts.append(.text(plain)) }
        plain = ""
        parts.append(.value(name: name, isRaw: isRaw))
        rest = rest[end...]
      } else {
        plain.append(character)
        rest = rest.dropFirst()
      }
    }
    if !plain.isEmpty { parts.append(.text(plain)) }
    self.parts = parts
  }

  private static func placeholder(
    _ text: Substring
  ) -> (name: String, isRaw: Bool, end: Substring.Index)? {
    guard let close = text.firstIndex(of: "}") else { return nil }
    var name = String(text[text.index(after: text.startIndex)..<close])
    let isRaw = name.hasSuffix(":raw")
    if isRaw { name.removeLast(4) }
    return Spelling.isIdentifier(name) ? (name, isRaw, text.index(after: close)) : nil
  }

  var names: [String] {
    parts.compactMap { if case .value(let name, _) = $0 { name } else { nil } }
  }

  /// - Parameter quotes: values are quoted for a shell, unless they are raw.
  func filled(_ values: [String: String], quotes: Bool = false) -> String {
    var text = ""
    for part in parts {
      switch part {
      case .text(let plain): text += plain
      case .value(let name, let isRaw):
        let value = values[name] ?? ""
        text += quotes && !isRaw ? ShellWords.quoted(value) : value
      }
    }
    return text
  }

  /// With `*` for every value: what all that come of it look like.
  var pattern: String {
    parts.map { if case .text(let plain) = $0 { plain } else { "*" } }.joined()
  }
}

enum ShellWords {
  private static let safe = Set(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-".unicodeScalars)

  /// As one word of `sh`.
  static func quoted(_ text: String) -> String {
    if !text.isEmpty && text.unicodeScalars.allSatisfy({ safe.contains($0) }) { return text }
    var quoted = "'"
    for character in text.unicodeScalars {
      if character == "'" { quoted += "'\\''" } else { quoted.unicodeScalars.append(character) }
    }
    return quoted + "'"
  }
}
