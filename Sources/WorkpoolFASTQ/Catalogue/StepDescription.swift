// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What the catalogue knows about a step.
public struct StepDescription: Sendable {
  public let name: String
  public let aliases: [String]
  /// What it does, in a few words.
  public let summary: String
  public let kind: StepKind
  public let keys: [StepKey]
  /// Fewer segments are an error.
  public let minSegments: Int
  /// What is wrong with arguments that are right one by one; nil if nothing is.
  let check: @Sendable (StepArguments) -> String?
  let make: @Sendable (StepArguments) throws(WorkpoolError) -> Step

  init(
    _ name: String, aliases: [String] = [], _ summary: String, kind: StepKind = .parallel,
    keys: [StepKey], minSegments: Int = 1,
    check: @escaping @Sendable (StepArguments) -> String? = { _ in nil },
    make: @escaping @Sendable (StepArguments) throws(WorkpoolError) -> Step
  ) {
    self.name = name
    self.aliases = aliases
    self.summary = summary
    self.kind = kind
    self.keys = keys
    self.minSegments = minSegments
    self.check = check
    self.make = make
  }

  func isCalled(_ word: String) -> Bool {
    isSameName(name, word) || aliases.contains { isSameName($0, word) }
  }
}

/// The part of a read that a step works on, in which segments.
struct StepSource: Equatable {
  enum Part { case sequence, name }

  var part: Part
  var segments: Range<Int>
}

/// The checked parameters of one step, defaults filled in, by the keys' own names.
struct StepArguments {
  enum Value: Equatable {
    case int(Int)
    case number(Double)
    case byte(UInt8)
    case text(String)
    /// Number of the word in the key's list.
    case choice(Int)
    case segments(Range<Int>)
    case source(StepSource)
    /// Where a batch has the tag.
    case column(Int)
  }

  let stepName: String
  let stepNumber: Int?
  /// Ends the name where a name without comment is meant.
  let commentCharacter: UInt8
  var values: [(key: String, value: Value)] = []

  func has(_ key: String) -> Bool { values.contains { $0.key == key } }

  func int(_ key: String) -> Int {
    if case .int(let value) = self[key] { value } else { wrongType() }
  }
  func number(_ key: String) -> Double {
    if case .number(let value) = self[key] { value } else { wrongType() }
  }
  func byte(_ key: String) -> UInt8 {
    if case .byte(let value) = self[key] { value } else { wrongType() }
  }
  func text(_ key: String) -> String {
    if case .text(let value) = self[key] { value } else { wrongType() }
  }
  func choice(_ key: String) -> Int {
    if case .choice(let value) = self[key] { value } else { wrongType() }
  }
  func segments(_ key: String) -> Range<Int> {
    if case .segments(let value) = self[key] { value } else { wrongType() }
  }
  func source(_ key: String) -> StepSource {
    if case .source(let value) = self[key] { value } else { wrongType() }
  }
  func column(_ key: String) -> Int {
    if case .column(let value) = self[key] { value } else { wrongType() }
  }

  private subscript(key: String) -> Value? { values.first { $0.key == key }?.value }

  private func wrongType() -> Never {
    preconditionFailure("a step reads the keys of its description, by their types")
  }
}
