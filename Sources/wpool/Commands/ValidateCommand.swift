// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Check a configuration without running it.",
    discussion: """
      Everything that is wrong is told at once, a line for each: file, line, table or step, key and \
      what is allowed. What is right and may yet not be meant is a warning: inputs that are not there, \
      outputs with one name, keys without effect. Nothing is opened but the configuration, nothing is \
      written. Exit codes: 0 right; 2 wrong.
      """)

  @Argument(help: "The configuration, a TOML file.", completion: .file(extensions: ["toml"]))
  var config: String?

  func run() throws {
    let path = try config ?? OnlyConfiguration.find()
    let text = try ConfigurationText(path: path)
    let configuration = try Configuration(text)
    for warning in ConfigurationWarnings.find(configuration, text) {
      Console.say("\(path): warning: \(warning)")
    }
    let steps = configuration.recipe.steps.count { $0.number != nil }
    let segments = configuration.recipe.segments
    throw Console.write(
      "\(path): valid: \(segments.count) segment\(segments.count == 1 ? "" : "s") "
        + "(\(segments.joined(separator: ", "))), \(steps) step\(steps == 1 ? "" : "s")\n")
  }
}
