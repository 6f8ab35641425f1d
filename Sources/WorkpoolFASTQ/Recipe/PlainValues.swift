// SPDX-License-Identifier: MIT

// Values that mean the same in every recipe.

extension RecipeBuilder {
  mutating func plainValue(_ key: StepKey, _ given: StepValue) -> StepArguments.Value? {
    switch (key.type, given) {
    case (.int(let range), .int(let number)):
      if range.contains(number) { return .int(number) }
    case (.number(let from, let above, let below), .int(let number)):
      if isWithin(Double(number), from, above, below) { return .number(Double(number)) }
    case (.number(let from, let above, let below), .double(let number)):
      if isWithin(number, from, above, below) { return .number(number) }
    case (.bool, .bool(let value)):
      return .bool(value)
    case (.byte(let range), .int(let number)):
      if let byte = UInt8(exactly: number), range.contains(byte) { return .byte(byte) }
    case (.byte(let range), .text(let text)):
      if text.utf8.count == 1, let byte = text.utf8.first, range.contains(byte) {
        return .byte(byte)
      }
    case (.text, .text(let text)):
      return .text(text)
    case (.texts, _):
      if let texts = texts(given) {
        if !texts.isEmpty { return .texts(texts) }
        reportWrong(key, given, "is empty; at least one is needed")
        return nil
      }
    case (.choice(let words), .text(let word)):
      return choice(key, word, words).map { .choice($0) }
    case (.letters(let letters), .text(let text)):
      if hasOnly(letters, text) { return .text(text) }
    case (.letterLists(let letters), _):
      if let texts = texts(given), !texts.isEmpty, texts.allSatisfy({ hasOnly(letters, $0) }) {
        return .texts(texts)
      }
    default: break
    }
    reportWrong(key, given, "is not what is needed: " + key.type.text)
    return nil
  }

  /// A list of texts, or a single one.
  func texts(_ given: StepValue) -> [String]? {
    guard let list = given.asList else { return nil }
    var texts: [String] = []
    for value in list {
      guard case .text(let text) = value else { return nil }
      texts.append(text)
    }
    return texts
  }

  mutating func choice(_ key: StepKey, _ word: String, _ words: [[String]]) -> Int? {
    if let index = words.firstIndex(where: { $0.contains { isSameName($0, word) } }) {
      return index
    }
    reportWrong(
      key, .text(word),
      "is none of " + joined(words.map { $0[0] }, ", ")
        + nearestHint(to: word, among: words.flatMap { $0 }))
    return nil
  }

  private func isWithin(_ number: Double, _ from: Double?, _ above: Double?, _ below: Double?)
    -> Bool
  {
    if number.isNaN { return false }
    if let from, number < from { return false }
    if let above, number <= above { return false }
    if let below, number >= below { return false }
    return true
  }

  private func hasOnly(_ letters: Letters, _ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { letters.contains($0) }
  }

  mutating func reportWrong(_ key: StepKey, _ given: StepValue, _ message: String) {
    report(key.name, key.name + " = " + given.text + " " + message)
  }
}

extension StepKeyType {
  var isNewLabel: Bool { if case .newLabel = self { true } else { false } }
}

extension StepValue {
  /// The values of a list; anything else is a list of itself.
  var asList: [StepValue]? { if case .list(let values) = self { values } else { [self] } }
}
