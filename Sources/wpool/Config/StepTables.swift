// SPDX-License-Identifier: MIT
import Workpool

/// `[[step]]`: what is done to the reads, in order.
enum StepTables {
  static func read(
    _ member: StepParameter?, _ problems: inout ConfigurationProblems
  ) -> [StepRequest] {
    guard let member else { return [] }
    var tables: [StepValue] = [member.value]
    if case .list(let list) = member.value { tables = list }
    var requests: [StepRequest] = []
    for (index, table) in tables.enumerated() {
      let path = [member.key, String(index)]
      guard case .table(let members) = table else {
        problems.report(path, "[[\(member.key)]] is not what is needed: tables with an action")
        continue
      }
      var section = SectionReader(title: "step \(index + 1)", path: path, members)
      guard let action = section.take("action", problems: &problems) else {
        let names = StepCatalogue.steps.map { $0.name }
        problems.report(
          path, "step \(index + 1): action is missing: one of " + names.joined(separator: ", "))
        requests.append(StepRequest(""))
        continue
      }
      guard case .text(let name) = action.value else {
        section.wrong(action, "the name of a step", &problems)
        requests.append(StepRequest(""))
        continue
      }
      requests.append(StepRequest(name, section.rest))
    }
    return requests
  }

  /// nil where something is wrong, which was told then.
  static func recipe(
    _ requests: [StepRequest], _ input: InputSection, _ options: RecipeOptions, path: [String],
    _ problems: inout ConfigurationProblems
  ) -> Recipe? {
    do throws(RecipeError) {
      return try Recipe(
        segments: input.segments, isInterleaved: input.isInterleaved, steps: requests,
        options: options)
    } catch {
      for problem in error.problems {
        // Steps alone: what is wrong with segments was told where they were read.
        guard let number = problem.step else {
          if problem.stepName != nil { problems.report(path, problem.text) }
          continue
        }
        let request = requests[number - 1]
        if request.action.isEmpty { continue }
        var place = path + [String(number - 1)]
        if let key = problem.key.flatMap({ keyInText($0, request) }) {
          place.append(key)
        } else if problem.key == nil {
          place.append("action")
        }
        problems.report(place, problem.text)
      }
      return nil
    }
  }

  /// How the text spells a key of a step.
  private static func keyInText(_ key: String, _ request: StepRequest) -> String? {
    let names =
      StepCatalogue.step(named: request.action)?.keys.first { $0.name == key }.map {
        [$0.name] + $0.aliases
      } ?? [key]
    return request.parameters.first { parameter in
      names.contains { Spelling.isSame($0, parameter.key) }
    }?.key
  }
}
