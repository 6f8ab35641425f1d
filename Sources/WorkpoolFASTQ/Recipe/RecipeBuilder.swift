// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Checks requests one after the other, makes steps of them, and collects what is wrong.
struct RecipeBuilder {
  let segments: [String]
  let options: RecipeOptions
  private(set) var steps: [Step] = []
  private(set) var tags = TagTable()
  private(set) var problems: [RecipeProblem] = []

  /// The step being read.
  private var number: Int?
  private var name = ""
  private var origin: String?

  init(segments: [String], options: RecipeOptions) {
    self.segments = segments
    self.options = options
  }

  /// - Parameter number: from 1; nil for a step that nobody asked for.
  mutating func add(_ request: StepRequest, number: Int?) {
    self.number = number
    origin = request.origin
    name = request.action
    guard let description = StepCatalogue.step(named: request.action) else {
      let names = StepCatalogue.steps.flatMap { [$0.name] + $0.aliases }
      report(nil, "there is no such step" + nearestHint(to: request.action, among: names))
      return
    }
    name = description.name
    let before = problems.count
    if segments.count < description.minSegments && !segments.isEmpty {
      report(nil, "at least " + String(description.minSegments) + " segments are needed")
    }
    let arguments = read(request.parameters, description)
    guard problems.count == before else { return }
    if let problem = description.check(arguments) {
      report(nil, problem)
      return
    }
    do throws(WorkpoolError) {
      steps.append(try description.make(arguments))
    } catch {
      report(nil, error.text)
    }
  }

  mutating func report(_ key: String?, _ message: String) {
    problems.append(
      RecipeProblem(origin: origin, step: number, stepName: name, key: key, message: message))
  }

  mutating func reportUnusedTags() { problems += tags.unusedProblems }

  private mutating func read(
    _ parameters: [StepParameter], _ description: StepDescription
  ) -> StepArguments {
    for (index, parameter) in parameters.enumerated() {
      guard let key = description.keys.first(where: { $0.isCalled(parameter.key) }) else {
        report(parameter.key, "unknown key " + parameter.key + keyHint(parameter.key, description))
        continue
      }
      if parameters[..<index].contains(where: { key.isCalled($0.key) }) {
        report(key.name, key.name + " is given twice")
      }
    }
    var arguments = StepArguments(
      stepName: description.name, stepNumber: number, commentCharacter: options.commentCharacter)
    for key in description.keys {
      let given = parameters.first { key.isCalled($0.key) }?.value ?? key.fallback
      if let value = value(of: key, given) { arguments.values.append((key.name, value)) }
    }
    return arguments
  }

  private func keyHint(_ word: String, _ description: StepDescription) -> String {
    let names = description.keys.flatMap { [$0.name] + $0.aliases }
    let nearest = nearestHint(to: word, among: names)
    return nearest.isEmpty
      ? "; keys are " + joined(description.keys.map { $0.name }, ", ") : nearest
  }

  /// The checked value; nil where it is missing, rightly or not, or wrong.
  private mutating func value(of key: StepKey, _ given: StepValue?) -> StepArguments.Value? {
    guard let given else {
      switch key.type {
      case .segment, .segmentOrAll:
        if segments.count == 1 { return .segments(0..<1) }
        report(key.name, key.name + " is missing; " + segmentList)
      default:
        if key.isRequired { report(key.name, key.name + " is missing: " + key.type.text) }
      }
      return nil
    }
    switch (key.type, given) {
    case (.int(let range), .int(let number)):
      if range.contains(number) { return .int(number) }
    case (.number(let above, let below), .int(let number)):
      return self.number(key, Double(number), given, above, below)
    case (.number(let above, let below), .double(let number)):
      return self.number(key, number, given, above, below)
    case (.byte(let range), .int(let number)):
      if let byte = UInt8(exactly: number), range.contains(byte) { return .byte(byte) }
    case (.byte(let range), .text(let text)):
      if text.utf8.count == 1, let byte = text.utf8.first, range.contains(byte) {
        return .byte(byte)
      }
    case (.text, .text(let text)):
      return .text(text)
    case (.choice(let words), .text(let word)):
      return choice(key, word, words)
    case (.segment, .text(let name)):
      return segment(key, name, allowsAll: false, given).map { .segments($0) }
    case (.segmentOrAll, .text(let name)):
      return segment(key, name, allowsAll: true, given).map { .segments($0) }
    case (.source, .text(let text)):
      return source(key, text, given)
    case (.label, .text(let label)):
      if let column = tags.use(label) { return .column(column) }
      reportWrong(key, given, "is unknown; " + tags.known(near: label))
      return nil
    case (.newLabel, .text(let label)):
      if let problem = tags.make(
        label, step: number, stepName: name, origin: origin, segments: segments)
      {
        reportWrong(key, given, "is not possible: " + problem)
        return nil
      }
      return tags.column(label).map { .column($0) }
    default: break
    }
    reportWrong(key, given, "is not what is needed: " + key.type.text)
    return nil
  }

  private mutating func number(
    _ key: StepKey, _ number: Double, _ given: StepValue, _ above: Double?, _ below: Double?
  ) -> StepArguments.Value? {
    if !number.isNaN, above.map({ number > $0 }) ?? true, below.map({ number < $0 }) ?? true {
      return .number(number)
    }
    reportWrong(key, given, "is not what is needed: " + key.type.text)
    return nil
  }

  private mutating func choice(
    _ key: StepKey, _ word: String, _ words: [[String]]
  ) -> StepArguments.Value? {
    if let index = words.firstIndex(where: { $0.contains { isSameName($0, word) } }) {
      return .choice(index)
    }
    reportWrong(
      key, .text(word),
      "is none of " + joined(words.map { $0[0] }, ", ")
        + nearestHint(to: word, among: words.flatMap { $0 }))
    return nil
  }

  private mutating func segment(
    _ key: StepKey, _ name: String, allowsAll: Bool, _ given: StepValue
  ) -> Range<Int>? {
    if let index = segments.firstIndex(of: name) { return index..<index + 1 }
    if allowsAll && (name == "all" || name == "All") { return 0..<segments.count }
    reportWrong(
      key, given,
      "is no segment; " + segmentList + nearestHint(to: name, among: segments))
    return nil
  }

  private mutating func source(
    _ key: StepKey, _ text: String, _ given: StepValue
  ) -> StepArguments.Value? {
    if let label = rest(of: text, after: "tag:") {
      let isKnown = tags.column(label) != nil
      reportWrong(
        key, given,
        isKnown
          ? "is a numeric tag; only a location can be meant"
          : "is an unknown label; " + tags.known(near: label))
      return nil
    }
    guard let name = rest(of: text, after: "name:") else {
      return segment(key, text, allowsAll: true, given).map {
        .source(StepSource(part: .sequence, segments: $0))
      }
    }
    if name.isEmpty && segments.count == 1 {
      return .source(StepSource(part: .name, segments: 0..<1))
    }
    return segment(key, name, allowsAll: true, given).map {
      .source(StepSource(part: .name, segments: $0))
    }
  }

  private func rest(of text: String, after prefix: String) -> String? {
    guard text.utf8.starts(with: prefix.utf8) else { return nil }
    return String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
  }

  private mutating func reportWrong(_ key: StepKey, _ given: StepValue, _ message: String) {
    report(key.name, key.name + " = " + given.text + " " + message)
  }

  private var segmentList: String { "segments are " + joined(segments, ", ") }
}
