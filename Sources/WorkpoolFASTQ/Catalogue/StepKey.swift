// SPDX-License-Identifier: MIT

/// What a key of a step takes.
public enum StepKeyType: Equatable, Sendable {
  case int(ClosedRange<Int>)
  /// A number (not NaN) between the bounds, of which `from` alone is included.
  case number(from: Double? = nil, above: Double? = nil, below: Double? = nil)
  case bool
  /// An integer or a string of one byte.
  case byte(ClosedRange<UInt8>)
  case text
  /// A text, or a list of them.
  case texts
  /// One of several words, each with its aliases behind it.
  case choice([[String]])
  /// A text of these letters that is not empty.
  case letters(Letters)
  /// The same, or a list of them.
  case letterLists(Letters)
  /// A segment's name; may be missing where there is only one.
  case segment
  /// The same, or `all`.
  case segmentOrAll
  /// What a step looks at; never missing.
  case source(SourceParts)
  /// An existing tag of one of these kinds.
  case label([TagKind])
  case labels([TagKind])
  /// A tag that the step makes, of this kind; nil: as the step's description says.
  case newLabel(TagKind?)
  /// Reads to act on: a label, or `!` and a label.
  case condition
  /// The name of a section of barcodes.
  case barcodes
  /// A list of tables, one for each region.
  case regions
  /// A formula over tags and lengths.
  case expression

  /// In one or a few words, such as `integer from 1`.
  public var text: String {
    switch self {
    case .int(let range):
      range.lowerBound == Int.min
        ? "integer"
        : "integer from " + String(range.lowerBound)
          + (range.upperBound == Int.max ? "" : " to " + String(range.upperBound))
    case .number(let from, let above, let below):
      "number" + (from.map { " from " + doubleText($0) } ?? "")
        + (above.map { " above " + doubleText($0) } ?? "")
        + ((from ?? above) != nil && below != nil ? " and" : "")
        + (below.map { " below " + doubleText($0) } ?? "")
    case .bool: "true or false"
    case .byte(let range):
      "integer from " + String(range.lowerBound) + " to " + String(range.upperBound)
        + " or string of one byte"
    case .text: "text"
    case .texts: "text or list of texts"
    case .choice(let words): "one of " + joined(words.map { $0[0] }, ", ")
    case .letters(let letters): "letters " + letters.text
    case .letterLists(let letters): "letters " + letters.text + ", or a list of such texts"
    case .segment: "segment"
    case .segmentOrAll: "segment or \"all\""
    case .source(let parts): parts.text
    case .label(let kinds): "label of a " + joined(kinds.map { $0.text }, " or ") + " tag"
    case .labels(let kinds): "labels of " + joined(kinds.map { $0.text }, " or ") + " tags"
    case .newLabel: "new label"
    case .condition: "label of a tag that is not numeric, or \"!\" and such a label"
    case .barcodes: "name of a barcodes section"
    case .regions: "list of {source, start, length, anchor}"
    case .expression: "expression"
    }
  }

  /// The same for a list of steps: with all words for one thing, and what may be missing when.
  public var fullText: String {
    switch self {
    case .choice(let words):
      "one of "
        + joined(
          words.map {
            $0.count == 1 ? $0[0] : $0[0] + " (" + joined(Array($0.dropFirst()), ", ") + ")"
          }, ", ")
    case .segment, .segmentOrAll: text + "; may be missing where there is only one"
    default: text
    }
  }
}

/// The letters that a text may consist of.
public enum Letters: Equatable, Sendable {
  /// A C G T, in either case.
  case dna
  /// The same and N.
  case dnaOrN
  /// IUPAC codes, upper-case.
  case iupac
  case any

  var text: String {
    switch self {
    case .dna: "A, C, G, T"
    case .dnaOrN: "A, C, G, T, N"
    case .iupac: "A, C, G, T and the other IUPAC codes, upper-case"
    case .any: "A to Z"
    }
  }

  func contains(_ byte: UInt8) -> Bool {
    let letter = byte & 0xdf
    return switch self {
    case .dna: IUPAC.isBase(letter) && byte | 0x20 == letter | 0x20
    case .dnaOrN: (IUPAC.isBase(letter) || letter == UInt8(ascii: "N")) && byte >= 65
    case .iupac: IUPAC.bases(of: byte) != 0 && byte & 0x20 == 0
    case .any: letter &- 65 < 26 && byte >= 65
    }
  }
}

/// What may stand where a source is asked for, besides a segment.
public struct SourceParts: Equatable, Sendable {
  public var allowsAll = false
  public var allowsNames = false
  /// `tag:LABEL` with tags of these kinds.
  public var tags: [TagKind] = []

  static func parts(all: Bool = false, names: Bool = false, tags: [TagKind] = []) -> Self {
    SourceParts(allowsAll: all, allowsNames: names, tags: tags)
  }

  var text: String {
    var words = ["segment"]
    if allowsAll { words.append("\"all\"") }
    if allowsNames { words.append("\"name:SEGMENT\"") }
    if allowsNames && allowsAll { words.append("\"name:all\"") }
    if !tags.isEmpty {
      words.append("\"tag:LABEL\" of a " + joined(tags.map { $0.text }, " or ") + " tag")
    }
    let last = words.removeLast()
    return words.isEmpty ? last : joined(words, ", ") + " or " + last
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

  /// `if_tag`, of the steps that can pass over reads.
  static var condition: StepKey { StepKey("if_tag", .condition, isRequired: false) }

  /// The key as messages call it: by the name that a request has for it.
  func spelled(_ name: String?) -> StepKey {
    guard let name else { return self }
    return StepKey(name, aliases: aliases, type, isRequired: isRequired, default: fallback)
  }

  func isCalled(_ word: String) -> Bool {
    isSameName(name, word) || aliases.contains { isSameName($0, word) }
  }
}
