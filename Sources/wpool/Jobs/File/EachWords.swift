// SPDX-License-Identifier: MIT

/// A command of `wpool each`, with places for words; they are named as in GNU parallel.
///
/// `{}` the word, `{.}` without its extension, `{/}` without its folder, `{//}` its folder, `{/.}` without
/// both, `{#}` the number of the job; of several lists of words `{2}`, `{2.}` and so on the second one's.
struct EachWords {
  private enum Form: String, CaseIterable {
    case whole = ""
    case stem = "."
    case name = "/"
    case folder = "//"
    case nameStem = "/."

    func of(_ word: String) -> String {
      switch self {
      case .whole: word
      case .stem: Self.withoutExtension(word)
      case .name: Self.name(word)
      case .folder: Self.folder(word)
      case .nameStem: Self.withoutExtension(Self.name(word))
      }
    }

    private static func name(_ path: String) -> String {
      path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    private static func folder(_ path: String) -> String {
      guard let end = path.lastIndex(of: "/") else { return "." }
      return end == path.startIndex ? "/" : String(path[..<end])
    }

    private static func withoutExtension(_ path: String) -> String {
      guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return path }
      return String(path[..<dot])
    }
  }

  private enum Part {
    case text(String)
    /// Of the list of this number, from 1; 0: of all.
    case word(list: Int, Form)
    case number
  }

  /// The parts of each argument.
  private let arguments: [[Part]]

  /// - Parameter lists: so many lists of words there are.
  init(_ command: [String], lists: Int) throws(Failure) {
    var arguments = command.map(Self.parts)
    let isPlain = { (part: Part) in if case .text = part { true } else { false } }
    if arguments.joined().allSatisfy(isPlain) { arguments.append([.word(list: 0, .whole)]) }
    for case .word(let list, _) in arguments.joined() where list > lists {
      throw .usage(
        "{\(list)} needs \(list) lists of words; there \(lists == 1 ? "is 1" : "are \(lists)")")
    }
    self.arguments = arguments
  }

  private static func parts(_ argument: String) -> [Part] {
    var parts: [Part] = []
    var plain = ""
    var rest = argument[...]
    while let character = rest.first {
      if character == "{", let end = rest.firstIndex(of: "}"),
        let part = place(rest[rest.index(after: rest.startIndex)..<end])
      {
        if !plain.isEmpty { parts.append(.text(plain)) }
        plain = ""
        parts.append(part)
        rest = rest[rest.index(after: end)...]
      } else {
        plain.append(character)
        rest = rest.dropFirst()
      }
    }
    if !plain.isEmpty || parts.isEmpty { parts.append(.text(plain)) }
    return parts
  }

  private static func place(_ name: Substring) -> Part? {
    if name == "#" { return .number }
    let digits = name.prefix { $0.isASCII && $0.isNumber }
    guard let form = Form(rawValue: String(name.dropFirst(digits.count))) else { return nil }
    if digits.isEmpty { return .word(list: 0, form) }
    return Int(digits).flatMap { $0 > 0 ? .word(list: $0, form) : nil }
  }

  /// The command for these words, one of each list.
  func filled(_ words: [String], number: Int) -> [String] {
    arguments.flatMap { parts -> [String] in
      // By itself it is as many arguments as there are words.
      if parts.count == 1, case .word(list: 0, let form) = parts[0] { return words.map(form.of) }
      return [
        parts.map { part in
          switch part {
          case .text(let text): text
          case .word(list: 0, let form): words.map(form.of).joined(separator: " ")
          case .word(let list, let form): form.of(words[list - 1])
          case .number: String(number)
          }
        }.joined()
      ]
    }
  }

  /// Each word of the first list with each of the second one, and so on; the last one changes fastest.
  static func combinations(_ lists: [[String]]) -> [[String]] {
    lists.reduce([[]]) { known, list in known.flatMap { words in list.map { words + [$0] } } }
  }
}
