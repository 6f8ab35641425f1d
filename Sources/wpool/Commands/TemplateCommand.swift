// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct TemplateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "template",
    abstract: "Print a configuration to begin with, or a part of one.",
    discussion: """
      Without a word: a whole configuration that wpool validate accepts, with all keys of its tables in \
      comments. With the name of a table (input, options, output, barcodes, benchmark) or of a step: \
      that part, all keys of the step with what they take. With jobs: a job file for wpool run.
      """)

  @Argument(help: "A table, a step, or jobs.")
  var part: String?

  func run() throws {
    guard let part else { throw Console.write(ConfigurationTemplate.whole) }
    if part == "jobs" { throw Console.write(JobTemplate.whole) }
    let sections = ConfigurationTemplate.sections
    if let section = sections.first(where: { Spelling.isSame($0.name, part) }) {
      throw Console.write(section.text)
    }
    guard let step = StepCatalogue.step(named: part) else {
      let names = sections.map { $0.name } + StepCatalogue.steps.map { $0.name }
      let hint = Spelling.hint(part, among: names)
      throw Failure.usage(
        "there is no table or step \"\(part)\""
          + (hint.isEmpty ? "; wpool list-steps shows the steps" : hint))
    }
    throw Console.write(ConfigurationTemplate.step(step))
  }
}
