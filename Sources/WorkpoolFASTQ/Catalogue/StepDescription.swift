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
  /// The kind of the tag it makes, where its arguments decide that.
  let kindOfTag: @Sendable (StepArguments) -> TagKind
  let make: @Sendable (StepArguments) throws(WorkpoolError) -> Step

  init(
    _ name: String, aliases: [String] = [], _ summary: String, kind: StepKind = .parallel,
    keys: [StepKey], minSegments: Int = 1,
    check: @escaping @Sendable (StepArguments) -> String? = { _ in nil },
    kindOfTag: @escaping @Sendable (StepArguments) -> TagKind = { _ in .location },
    make: @escaping @Sendable (StepArguments) throws(WorkpoolError) -> Step
  ) {
    self.name = name
    self.aliases = aliases
    self.summary = summary
    self.kind = kind
    self.keys = keys
    self.minSegments = minSegments
    self.check = check
    self.kindOfTag = kindOfTag
    self.make = make
  }

  func isCalled(_ word: String) -> Bool {
    isSameName(name, word) || aliases.contains { isSameName($0, word) }
  }
}
