// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct ListStepsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list-steps", abstract: "Print the steps that --step knows, and their keys.")

  @Flag(help: "As JSON.")
  var json = false

  func run() throws {
    throw Console.write(json ? Self.json.page : Self.text)
  }

  private static var text: String {
    var text = ""
    for step in StepCatalogue.steps {
      let names = [step.name] + step.aliases
      text += names.joined(separator: ", ") + ": " + step.summary + "\n"
      for key in step.keys {
        text +=
          "  " + ([key.name] + key.aliases).joined(separator: ", ") + ": "
          + key.type.fullText
        if let fallback = key.fallback {
          text += " [" + fallback.text + "]"
        } else if !key.isRequired {
          text += " (optional)"
        }
        text += "\n"
      }
    }
    return text
  }

  private static var json: JSON {
    .array(
      StepCatalogue.steps.map { step in
        .object([
          ("name", JSON(step.name)),
          ("aliases", .array(step.aliases.map { JSON($0) })),
          ("summary", JSON(step.summary)),
          ("kind", JSON(step.kind == .parallel ? "parallel" : "serial")),
          ("min_segments", JSON(step.minSegments)),
          ("keys", .array(step.keys.map { json($0) })),
        ])
      })
  }

  private static func json(_ key: StepKey) -> JSON {
    .object([
      ("name", JSON(key.name)),
      ("aliases", .array(key.aliases.map { JSON($0) })),
      ("type", JSON(key.type.fullText)),
      ("required", .bool(key.isRequired)),
      ("default", key.fallback.map { json($0) } ?? .null),
    ])
  }

  private static func json(_ value: StepValue) -> JSON {
    switch value {
    case .int(let number): JSON(number)
    case .double(let number): .number(number)
    case .bool(let value): .bool(value)
    case .text(let text): JSON(text)
    case .list(let values): .array(values.map { json($0) })
    case .table(let members): .object(members.map { ($0.key, json($0.value)) })
    }
  }
}
