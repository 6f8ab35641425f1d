// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Checks requests one after the other, makes steps of them, and collects what is wrong.
struct RecipeBuilder {
  let segments: [String]
  let options: RecipeOptions
  private(set) var steps: [Step] = []
  private(set) var streams = [OutputStream()]
  var tags = TagTable()
  private(set) var problems: [RecipeProblem] = []
  /// The step that has each name in the report, and where the configuration has it.
  private var reporters: [(entry: String, step: String)] = []

  /// The step being read.
  private(set) var number: Int?
  private(set) var name = ""
  private(set) var origin: String?

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
      let step = try description.make(arguments)
      if let entry = step.reportName {
        if let other = reporters.first(where: { $0.entry == entry }) {
          report(
            "name",
            "name = \"" + entry + "\" is the name of " + other.step
              + " too; each report needs a name of its own")
        }
        reporters.append((entry, step.title + (origin.map { " in " + $0 } ?? "")))
      }
      steps.append(step)
      step.useTags(&tags)
      streams = step.streamsAfter(streams)
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
    var surroundings = StepSurroundings()
    surroundings.segments = segments
    surroundings.streams = streams
    surroundings.tags = tags.alive
    surroundings.severalRegions = tags.severalRegions
    surroundings.commentSeparators = steps.compactMap { $0.commentSeparator }
    surroundings.barcodes = options.barcodes
    surroundings.naming = options.naming
    surroundings.commentCharacter = options.commentCharacter
    var arguments = StepArguments(
      stepName: description.name, stepNumber: number, surroundings: surroundings)
    // A new tag comes last: its kind may depend on the rest, and the rest may not use it.
    for isNew in [false, true] {
      for key in description.keys where key.type.isNewLabel == isNew {
        let parameter = parameters.first { key.isCalled($0.key) }
        let given = parameter?.value ?? key.fallback
        let isComplete = isNew && problems.last?.step != number
        let kind = isComplete ? description.kindOfTag(arguments) : .location
        if let value = value(of: key.spelled(parameter?.key), given, newKind: kind) {
          arguments.values.append((key.name, value))
        }
      }
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
  private mutating func value(
    of key: StepKey, _ given: StepValue?, newKind: TagKind
  ) -> StepArguments.Value? {
    guard let given else {
      switch key.type {
      case .segment, .segmentOrAll:
        if !key.isRequired { return nil }
        if segments.count == 1 { return .segments(0..<1, isAll: false) }
        report(key.name, key.name + " is missing; " + segmentList)
      default:
        if key.isRequired { report(key.name, key.name + " is missing: " + key.type.text) }
      }
      return nil
    }
    switch key.type {
    case .segment:
      if case .text(let name) = given {
        return segment(key, name, allowsAll: false, given).map { .segments($0, isAll: false) }
      }
    case .segmentOrAll:
      if case .text(let name) = given {
        let isAll = !segments.contains(name)
        return segment(key, name, allowsAll: true, given).map { .segments($0, isAll: isAll) }
      }
    case .source(let parts):
      if case .text(let text) = given { return source(key, text, parts, given).map { .source($0) } }
    case .regions:
      if let list = given.asList { return regions(key, list).map { .regions($0) } }
    case .label(let kinds):
      if case .text(let label) = given { return tag(key, label, kinds).map { .tag($0) } }
    case .labels(let kinds):
      if let labels = texts(given) { return tags(key, labels, kinds).map { .tags($0) } }
    case .condition:
      if case .text(let text) = given { return condition(key, text).map { .condition($0) } }
    case .newLabel(let kind):
      if case .text(let label) = given {
        return newTag(key, label, kind ?? newKind).map { .tag($0) }
      }
    case .barcodes:
      if case .text(let name) = given { return barcodes(key, name).map { .barcodes($0) } }
    case .expression:
      // A number is a formula too.
      switch given {
      case .text(let text): return expression(key, text).map { .expression($0) }
      case .int, .double: return expression(key, given.text).map { .expression($0) }
      default: break
      }
    default:
      return plainValue(key, given)
    }
    reportWrong(key, given, "is not what is needed: " + key.type.text)
    return nil
  }
}
