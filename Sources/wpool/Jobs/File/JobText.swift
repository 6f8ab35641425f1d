// SPDX-License-Identifier: MIT
import Workpool

/// A job file as it was read: TOML, or JSON of the same shape.
enum JobText {
  static func read(_ path: String) throws(Failure) -> ConfigurationText {
    let text = try ConfigurationText.content(of: path)
    // No TOML begins with a brace.
    let isJSON = path.hasSuffix(".json") || text.first { !$0.isWhitespace } == "{"
    return isJSON ? try json(text, name: path) : try ConfigurationText(path: path)
  }

  static func json(_ text: String, name: String) throws(Failure) -> ConfigurationText {
    let value: JSONValue
    let places: [JSONParser.Place]
    do throws(JSONParser.Fault) {
      (value, places) = try JSONParser.parseWithPlaces(Array(text.utf8))
    } catch {
      throw .usage("\(name):\(error.line): this is no JSON: \(error.message)")
    }
    guard case .object(let members) = value else {
      throw .usage("\(name):1: a job file is an object")
    }
    return ConfigurationText(
      name: name, text: text, root: members.map(parameter),
      lines: Dictionary(places.map { ($0.path, $0.line) }) { first, _ in first })
  }

  static func parameter(_ member: JSONValue.Member) -> StepParameter {
    StepParameter(member.key, step(member.value))
  }

  private static func step(_ value: JSONValue) -> StepValue {
    switch value {
    // No key takes one: as text it is wrong wherever something else is wanted.
    case .null: .text("null")
    case .bool(let value): .bool(value)
    case .int(let number): .int(number)
    case .double(let number): .double(number)
    case .text(let text): .text(text)
    case .list(let values): .list(values.map(step))
    case .object(let members): .table(members.map(parameter))
    }
  }
}
