// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// What is right in a configuration and yet may not be meant.
enum ConfigurationWarnings {
  /// Keys that other programs need and this one decides itself.
  private static let withoutEffect: [(section: String, keys: [String])] = [
    ("options", ["buffer_size", "output_buffer_size"]),
    ("output", ["compression_threads"]),
    ("input.options", ["use_rapidgzip", "build_rapidgzip_index", "threads_per_segment"]),
  ]

  /// - Returns: sentences, without the file's name.
  static func find(_ configuration: Configuration, _ text: ConfigurationText) -> [String] {
    missingInputs(configuration) + collisions(configuration) + idleKeys(text)
      + ambiguousPatterns(text)
  }

  private static func missingInputs(_ configuration: Configuration) -> [String] {
    var missing: [String] = []
    for file in configuration.input.files.joined() + configuration.recipe.inputs
    where file != InputSection.stdin && access(file, F_OK) != 0 && !missing.contains(file) {
      missing.append(file)
    }
    return missing.map { "input \"\($0)\" is not there" }
  }

  private static func collisions(_ configuration: Configuration) -> [String] {
    guard configuration.benchmark?.isEnabled != true else { return [] }
    var owners: [String: String] = [:]
    var warnings: [String] = []
    func add(_ endpoint: Endpoint, _ owner: String) {
      guard case .path(let path) = endpoint else { return }
      if let other = owners[path] {
        warnings.append("output \"\(path)\" is written by \(other) and by \(owner)")
      } else if configuration.input.files.joined().contains(path) {
        warnings.append("output \"\(path)\" of \(owner) is an input too")
      }
      owners[path] = owner
    }
    for output in ConfigurationPlan.outputs(configuration) { add(output.endpoint, output.owner) }
    for file in configuration.recipe.files { add(file.endpoint, file.owner) }
    if let output = configuration.output {
      let names = [
        (output.hasJSONReport, ".json"), (output.hasHTMLReport, ".html"),
        (output.hasTiming, ".timing.json"),
      ]
      for (isWanted, suffix) in names where isWanted {
        add(.path(output.naming.prefix + suffix), "[output]")
      }
    }
    return warnings
  }

  private static func idleKeys(_ text: ConfigurationText) -> [String] {
    withoutEffect.flatMap { section, keys in
      var members = text.root
      for name in section.split(separator: ".") {
        let found = members.first { Spelling.isSame($0.key, String(name)) }
        guard case .table(let table)? = found?.value else { return [String]() }
        members = table
      }
      return members.filter { member in keys.contains { Spelling.isSame($0, member.key) } }
        .map { "[\(section)]: \($0.key) has no effect" }
    }
  }

  private static func ambiguousPatterns(_ text: ConfigurationText) -> [String] {
    let member = text.root.first {
      Spelling.isSame($0.key, "step") || Spelling.isSame($0.key, "transform")
    }
    guard case .list(let steps)? = member?.value else { return [] }
    var warnings: [String] = []
    for (index, step) in steps.enumerated() {
      guard case .table(let keys) = step,
        value("action", keys).map({
          Spelling.isSame($0, "ExtractIUPACWithIndel")
        }) == true,
        let pattern = value("search", keys) ?? value("query", keys),
        pattern.contains(where: { !"ACGTacgt".contains($0) })
      else { continue }
      warnings.append(
        "step \(index + 1) (ExtractIUPACWithIndel): search = \"\(pattern)\": where a letter that stands "
          + "for several matches, it counts as a mismatch")
    }
    return warnings
  }

  private static func value(_ key: String, _ members: [StepParameter]) -> String? {
    guard case .text(let text)? = members.first(where: { Spelling.isSame($0.key, key) })?.value
    else { return nil }
    return text
  }
}
