// SPDX-License-Identifier: MIT

/// A tag as a step refers to it: where a batch has it.
struct TagReference: Equatable {
  var label: String
  var column: Int
  var kind: TagKind
}

/// Reads to act on: those where a tag is true or there, or else the others.
struct TagCondition: Equatable {
  var tag: TagReference
  var isNegated: Bool
}

/// The part of a read that a step works on, in which segments.
struct StepSource: Equatable {
  enum Part: Equatable {
    case sequence
    case name
    case tag(TagReference)
  }

  var part: Part
  var segments: Range<Int>
  /// Whether `all` was asked for, which with one segment is that segment too.
  var isAll = false

  var isTag: Bool { if case .tag = part { true } else { false } }
}

/// One region of ExtractRegion and ExtractRegions.
struct RegionRequest: Equatable {
  var source: StepSource
  /// From the anchor; negative: before it.
  var start: Int
  var length: Int
  var isFromEnd: Bool
}

/// What surrounds a step in its recipe, as far as it concerns the step.
struct StepSurroundings {
  var segments: [String] = []
  /// The output streams that reads are dealt out to before the step.
  var streams: [OutputStream] = [OutputStream()]
  /// The tags that are alive before the step.
  var tags: [TagReference] = []
  var barcodes: [BarcodeSection] = []
  var naming: OutputNaming?
  /// Ends the name where a name without comment is meant.
  var commentCharacter = UInt8(ascii: " ")
  /// Columns of the tags whose values may have several regions.
  var severalRegions: Set<Int> = []
  /// What begins the comments that steps before have put into names.
  var commentSeparators: [UInt8] = []
}

/// The checked parameters of one step, defaults filled in, by the keys' own names.
struct StepArguments {
  enum Value: Equatable {
    case int(Int)
    case number(Double)
    case bool(Bool)
    case byte(UInt8)
    case text(String)
    case texts([String])
    /// Number of the word in the key's list.
    case choice(Int)
    /// With `isAll`, `all` was asked for, which with one segment is that segment too.
    case segments(Range<Int>, isAll: Bool)
    case source(StepSource)
    case tag(TagReference)
    case tags([TagReference])
    case condition(TagCondition)
    /// Number of the section.
    case barcodes(Int)
    case regions([RegionRequest])
    case expression(Expression)
  }

  let stepName: String
  let stepNumber: Int?
  let surroundings: StepSurroundings
  var values: [(key: String, value: Value)] = []

  var commentCharacter: UInt8 { surroundings.commentCharacter }
  /// The location tags that an edit keeps up with.
  var places: TagPlaces {
    TagPlaces(columns: surroundings.tags.filter { $0.kind == .location }.map { $0.column })
  }

  func has(_ key: String) -> Bool { values.contains { $0.key == key } }

  func int(_ key: String) -> Int {
    if case .int(let value) = self[key] { value } else { wrongType() }
  }
  func number(_ key: String) -> Double {
    if case .number(let value) = self[key] { value } else { wrongType() }
  }
  func bool(_ key: String) -> Bool {
    if case .bool(let value) = self[key] { value } else { wrongType() }
  }
  func byte(_ key: String) -> UInt8 {
    if case .byte(let value) = self[key] { value } else { wrongType() }
  }
  func text(_ key: String) -> String {
    if case .text(let value) = self[key] { value } else { wrongType() }
  }
  func texts(_ key: String) -> [String] {
    if case .texts(let value) = self[key] { value } else { wrongType() }
  }
  func choice(_ key: String) -> Int {
    if case .choice(let value) = self[key] { value } else { wrongType() }
  }
  func segments(_ key: String) -> Range<Int> {
    if case .segments(let value, _) = self[key] { value } else { wrongType() }
  }
  func asksForAll(_ key: String) -> Bool {
    if case .segments(_, let isAll) = self[key] { isAll } else { wrongType() }
  }
  func segment(_ key: String) -> Int { segments(key).lowerBound }
  func source(_ key: String) -> StepSource {
    if case .source(let value) = self[key] { value } else { wrongType() }
  }
  func tag(_ key: String) -> TagReference {
    if case .tag(let value) = self[key] { value } else { wrongType() }
  }
  func column(_ key: String) -> Int { tag(key).column }
  func tags(_ key: String) -> [TagReference] {
    if case .tags(let value) = self[key] { value } else { wrongType() }
  }
  func condition(_ key: String) -> TagCondition? {
    if case .condition(let value) = self[key] { value } else { nil }
  }
  func barcodes(_ key: String) -> BarcodeSection {
    if case .barcodes(let index) = self[key] { surroundings.barcodes[index] } else { wrongType() }
  }
  func regions(_ key: String) -> [RegionRequest] {
    if case .regions(let value) = self[key] { value } else { wrongType() }
  }
  func expression(_ key: String) -> Expression {
    if case .expression(let value) = self[key] { value } else { wrongType() }
  }

  private subscript(key: String) -> Value? { values.first { $0.key == key }?.value }

  private func wrongType() -> Never {
    preconditionFailure("a step reads the keys of its description, by their types")
  }
}
