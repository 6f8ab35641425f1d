// SPDX-License-Identifier: MIT
import Workpool

/// Something wrong with a configuration.
struct ConfigurationProblem {
  var line: Int?
  var message: String
}

/// All that is wrong with a configuration.
struct ConfigurationProblems {
  let text: ConfigurationText
  private(set) var problems: [ConfigurationProblem] = []

  var isEmpty: Bool { problems.isEmpty }

  mutating func report(_ path: [String], _ message: String) {
    problems.append(ConfigurationProblem(line: text.line(path), message: message))
  }

  /// One for each problem, in the order of the text.
  var messages: [String] {
    problems.enumerated()
      .sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
      .map { _, problem in
        text.name + (problem.line.map { ":\($0)" } ?? "") + ": " + problem.message
      }
  }
}

/// One table of a configuration: its keys are taken one by one, and what is left is wrong.
struct SectionReader {
  /// As messages call it, such as `[output]`.
  let title: String
  let path: [String]
  private var members: [StepParameter]
  private var known: [String] = []
  private var given: [String] = []

  init(title: String, path: [String], _ members: [StepParameter]) {
    self.title = title
    self.path = path
    self.members = members
  }

  /// The member of this name or alias, under the name that it has in the text.
  mutating func take(
    _ names: String..., problems: inout ConfigurationProblems
  ) -> StepParameter? {
    for name in names where !known.contains(name) { known.append(name) }
    let found = members.filter { member in
      names.contains { Spelling.isSame($0, member.key) }
    }
    given += found.map { $0.key }
    members.removeAll { member in names.contains { Spelling.isSame($0, member.key) } }
    for other in found.dropFirst() {
      problems.report(
        path + [other.key],
        "\(title): \(other.key) is given twice; it is also at line "
          + (problems.text.line(path + [found[0].key]).map(String.init) ?? "?"))
    }
    return found.first
  }

  /// Whether a key of this name was taken, with whatever value.
  func wasGiven(_ name: String) -> Bool { given.contains { Spelling.isSame($0, name) } }

  /// What no `take` asked for.
  var rest: [StepParameter] { members }

  mutating func refuseRest(_ problems: inout ConfigurationProblems) {
    for member in members {
      let hint = Spelling.hint(member.key, among: known)
      problems.report(
        path + [member.key],
        "\(title): unknown key \(member.key)"
          + (hint.isEmpty ? "; keys are " + known.joined(separator: ", ") : hint))
    }
  }

  // MARK: Values of one type

  mutating func bool(_ name: String, _ problems: inout ConfigurationProblems) -> Bool? {
    guard let member = take(name, problems: &problems) else { return nil }
    if case .bool(let value) = member.value { return value }
    wrong(member, "true or false", &problems)
    return nil
  }

  mutating func text(_ name: String, _ problems: inout ConfigurationProblems) -> String? {
    guard let member = take(name, problems: &problems) else { return nil }
    if case .text(let value) = member.value { return value }
    wrong(member, "text", &problems)
    return nil
  }

  mutating func int(
    _ name: String, alias: String? = nil, _ range: ClosedRange<Int>,
    _ problems: inout ConfigurationProblems
  ) -> Int? {
    guard let member = take(name, alias ?? name, problems: &problems) else { return nil }
    if case .int(let value) = member.value, range.contains(value) { return value }
    wrong(
      member,
      "integer from \(range.lowerBound)"
        + (range.upperBound == Int.max ? "" : " to \(range.upperBound)"), &problems)
    return nil
  }

  mutating func byte(
    _ name: String, _ range: ClosedRange<UInt8>, _ problems: inout ConfigurationProblems
  ) -> UInt8? {
    guard let member = take(name, problems: &problems) else { return nil }
    switch member.value {
    case .int(let number):
      if let byte = UInt8(exactly: number), range.contains(byte) { return byte }
    case .text(let text):
      if text.utf8.count == 1, let byte = text.utf8.first, range.contains(byte) { return byte }
    default: break
    }
    wrong(
      member,
      "integer from \(range.lowerBound) to \(range.upperBound) or string of one byte", &problems)
    return nil
  }

  mutating func choice(
    _ name: String, _ words: [[String]], _ problems: inout ConfigurationProblems
  ) -> Int? {
    guard let member = take(name, problems: &problems) else { return nil }
    if case .text(let word) = member.value {
      if let index = words.firstIndex(where: { $0.contains { Spelling.isSame($0, word) } }) {
        return index
      }
      problems.report(
        path + [member.key],
        "\(title): \(member.key) = \"\(word)\" is none of "
          + words.map { $0[0] }.joined(separator: ", ")
          + Spelling.hint(word, among: words.flatMap { $0 }))
      return nil
    }
    wrong(member, "one of " + words.map { $0[0] }.joined(separator: ", "), &problems)
    return nil
  }

  /// A text or a list of texts.
  func texts(
    _ member: StepParameter, _ problems: inout ConfigurationProblems
  ) -> [String]? {
    let values: [StepValue] =
      if case .list(let list) = member.value { list } else { [member.value] }
    var texts: [String] = []
    for value in values {
      guard case .text(let text) = value else {
        wrong(member, "text or list of texts", &problems)
        return nil
      }
      texts.append(text)
    }
    return texts
  }

  func wrong(
    _ member: StepParameter, _ needed: String, _ problems: inout ConfigurationProblems
  ) {
    problems.report(
      path + [member.key],
      "\(title): \(member.key) = \(member.value.text) is not what is needed: \(needed)")
  }

  func report(_ key: String, _ message: String, _ problems: inout ConfigurationProblems) {
    problems.report(path + [key], "\(title): " + message)
  }
}
