// SPDX-License-Identifier: MIT

/// What a key of a step takes.
public enum StepKeyType: Equatable, Sendable {
  case int(ClosedRange<Int>)
  /// A number (not NaN) between the bounds, which are not included.
  case number(above: Double? = nil, below: Double? = nil)
  /// An integer or a string of one byte.
  case byte(ClosedRange<UInt8>)
  case text
  /// One of several words, each with its aliases behind it.
  case choice([[String]])
  /// A segment's name; may be missing where there is only one.
  case segment
  /// The same, or `all`.
  case segmentOrAll
  /// A segment, `all`, `name:SEGMENT`, `name:all`; never missing.
  case source
  /// An existing numeric tag.
  case label
  /// A numeric tag that the step makes.
  case newLabel

  /// In one or a few words, such as `integer from 1`.
  public var text: String {
    switch self {
    case .int(let range):
      "integer from " + String(range.lowerBound)
        + (range.upperBound == Int.max ? "" : " to " + String(range.upperBound))
    case .number(let above, let below):
      "number" + (above.map { " above " + doubleText($0) } ?? "")
        + (above != nil && below != nil ? " and" : "")
        + (below.map { " below " + doubleText($0) } ?? "")
    case .byte(let range):
      "integer from " + String(range.lowerBound) + " to " + String(range.upperBound)
        + " or string of one byte"
    case .text: "text"
    case .choice(let words): "one of " + joined(words.map { $0[0] }, ", ")
    case .segment: "segment"
    case .segmentOrAll: "segment or \"all\""
    case .source: "segment, \"all\", \"name:SEGMENT\" or \"name:all\""
    case .label: "label of a numeric tag"
    case .newLabel: "new label"
    }
  }
}

/// A key of a step.
public struct StepKey: Sendable {
  public let name: String
  public let aliases: [String]
  public let type: StepKeyType
  public let isRequired: Bool
  /// What a missing key stands for, if it is not required and has a default.
  public let fallback: StepValue?

  init(
    _ name: String, aliases: [String] = [], _ type: StepKeyType, isRequired: Bool = true,
    default fallback: StepValue? = nil
  ) {
    self.name = name
    self.aliases = aliases
    self.type = type
    self.isRequired = isRequired && fallback == nil
    self.fallback = fallback
  }

  func isCalled(_ word: String) -> Bool {
    isSameName(name, word) || aliases.contains { isSameName($0, word) }
  }
}
