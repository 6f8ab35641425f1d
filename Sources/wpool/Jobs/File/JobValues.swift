// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

/// A length of time: a number of seconds, or `1h30m`, `200ms`.
struct Duration: ExpressibleByArgument {
  let nanoseconds: Int64

  private static let units: [(String, Double)] = [
    ("ms", 1e6), ("us", 1e3), ("ns", 1), ("d", 86_400e9), ("h", 3600e9), ("m", 60e9), ("s", 1e9),
  ]
  private static let most = 4e18

  private init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  init?(seconds: Double) {
    guard seconds >= 0, seconds * 1e9 <= Self.most else { return nil }
    self.init(nanoseconds: Int64((seconds * 1e9).rounded()))
  }

  init?(argument: String) {
    if let seconds = Self.number(argument[...]) {
      self.init(seconds: seconds)
      return
    }
    var rest = argument[...]
    var sum = 0.0
    var last = Double.infinity
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
      rest = rest.dropFirst(digits.count)
      guard let number = Self.number(digits),
        let (name, size) = Self.units.first(where: { rest.hasPrefix($0.0) }), size < last
      else { return nil }
      // `1m` is a minute, `1ms` is not: the longer name was tried first.
      rest = rest.dropFirst(name.count)
      sum += number * size
      last = size
    }
    guard last.isFinite, sum <= Self.most else { return nil }
    self.init(nanoseconds: Int64(sum.rounded()))
  }

  private static func number(_ text: Substring) -> Double? {
    guard let first = text.utf8.first, first &- 48 < 10,
      text.utf8.allSatisfy({ $0 &- 48 < 10 || $0 == UInt8(ascii: ".") })
    else { return nil }
    return Double(text)
  }

  init?(_ value: StepValue) {
    switch value {
    case .int(let number): self.init(seconds: Double(number))
    case .double(let number): self.init(seconds: number)
    case .text(let text): self.init(argument: text)
    default: return nil
    }
  }

  /// `1h30m`, `200ms`, `1.5s`
  static func text(_ nanoseconds: Int64) -> String {
    if nanoseconds < 1_000_000_000 {
      return Figures.fixed(Double(nanoseconds) / 1e6, nanoseconds % 1_000_000 == 0 ? 0 : 1) + "ms"
    }
    let seconds = Double(nanoseconds) / 1e9
    if seconds < 60 {
      return Figures.fixed(seconds, nanoseconds % 1_000_000_000 == 0 ? 0 : 1) + "s"
    }
    var rest = Int(seconds.rounded())
    var text = ""
    for (name, size) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] where rest >= size {
      text += "\(rest / size)\(name)"
      rest %= size
    }
    return text
  }
}

enum JobPriority {
  static let names: [(String, Int32)] = [
    ("low", -10), ("normal", 0), ("high", 10), ("critical", 100),
  ]

  static func number(_ value: StepValue) -> Int32? {
    switch value {
    case .int(let number): Int32(exactly: number)
    case .text(let text): names.first { $0.0 == text }?.1
    default: nil
    }
  }
}

/// Patterns for ids: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`.
enum IDPattern {
  static func isPattern(_ text: String) -> Bool { text.contains { "*?[".contains($0) } }

  static func matches(_ pattern: String, _ id: String) -> Bool {
    matches(Array(pattern.unicodeScalars)[...], Array(id.unicodeScalars)[...])
  }

  /// The scalars that every id that matches begins with.
  static func head(_ pattern: String) -> [Unicode.Scalar] {
    Array(pattern.unicodeScalars.prefix { !"*?[".unicodeScalars.contains($0) })
  }

  /// Linear but for a step back to the last `*`.
  static func matches(
    _ pattern: ArraySlice<Unicode.Scalar>, _ text: ArraySlice<Unicode.Scalar>
  ) -> Bool {
    var (pattern, text) = (pattern, text)
    var retry: (pattern: ArraySlice<Unicode.Scalar>, text: ArraySlice<Unicode.Scalar>)?
    while true {
      if pattern.first == "*" {
        pattern = pattern.dropFirst()
        retry = (pattern, text)
        continue
      }
      if let character = text.first, let rest = matchOne(pattern, character) {
        pattern = rest
        text = text.dropFirst()
        continue
      }
      if text.isEmpty && pattern.isEmpty { return true }
      guard let last = retry, !last.text.isEmpty else { return false }
      pattern = last.pattern
      text = last.text.dropFirst()
      retry = (pattern, text)
    }
  }

  /// What is left of the pattern behind the part that stands for `character`.
  private static func matchOne(
    _ pattern: ArraySlice<Unicode.Scalar>, _ character: Unicode.Scalar
  ) -> ArraySlice<Unicode.Scalar>? {
    guard let first = pattern.first else { return nil }
    if first == "?" { return pattern.dropFirst() }
    if first == "[", let end = pattern.dropFirst(2).firstIndex(of: "]") {
      var members = pattern[(pattern.startIndex + 1)..<end]
      let isNegated = members.first == "!"
      if isNegated { members = members.dropFirst() }
      var isIn = false
      while let low = members.first {
        members = members.dropFirst()
        if members.first == "-", let high = members.dropFirst().first {
          members = members.dropFirst(2)
          if low <= character && character <= high { isIn = true }
        } else if low == character {
          isIn = true
        }
      }
      return isIn != isNegated ? pattern[(end + 1)...] : nil
    }
    return first == character ? pattern.dropFirst() : nil
  }
}

/// Finds the jobs that a pattern means among very many.
struct IDIndex {
  private let ids: [(scalars: [Unicode.Scalar], place: Int)]

  init(_ jobs: [PlannedJob]) {
    ids = jobs.enumerated().map { (Array($1.id.unicodeScalars), $0) }
      .sorted { $0.scalars.lexicographicallyPrecedes($1.scalars) }
  }

  /// Places, ascending.
  func places(matching pattern: String) -> [Int] {
    let head = IDPattern.head(pattern)
    let scalars = Array(pattern.unicodeScalars)[...]
    var (low, high) = (0, ids.count)
    while low < high {
      let middle = (low + high) / 2
      if ids[middle].scalars.lexicographicallyPrecedes(head) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    var found: [Int] = []
    for (id, place) in ids[low...] {
      guard id.starts(with: head) else { break }
      if IDPattern.matches(scalars, id[...]) { found.append(place) }
    }
    return found.sorted()
  }
}

enum JobID {
  /// What is wrong with an id.
  static func problem(_ id: String) -> String? {
    if id.isEmpty { return "an id is empty" }
    if id.utf8.count > 200 { return "an id is longer than 200 bytes" }
    for scalar in id.unicodeScalars {
      if scalar.value < 32 || scalar.value == 127 { return "an id has a control character" }
      if "*?[]{},".unicodeScalars.contains(scalar) { return "\(scalar) is not allowed in an id" }
    }
    for prefix in ["stage:", "added:"] where id.hasPrefix(prefix) {
      return "an id must not begin with \(prefix)"
    }
    return nil
  }
}
