// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure what wpool process does, with several numbers of workers.",
    usage: """
      wpool bench [-j <n,...>] [--repeat <n>] <config.toml> [<options of process>]
      wpool bench [-j <n,...>] [--repeat <n>] <input> ... [<options of process>]
      """,
    discussion: """
      Does the work with each number of workers in turn, and again for each round, after once for \
      nothing, which brings the files into memory. Nothing is written: what is packed is thrown \
      away. Other programs that are there and do the very same work (seqkit, GNU parallel) are \
      measured in between, with their starts. Times and CPU are medians; spread lies between the \
      fastest and the slowest round; efficiency is speed by workers, beside that of the program's \
      first row. With a configuration's [benchmark], wpool process measures the steps alone.

      wpool bench -j 1,2,4 pipeline.toml
      wpool bench reads.fq.gz -o packed.fq.gz --step 'Head n=1000000'
      """)

  @Option(
    name: [.customShort("j"), .customLong("workers")],
    help: ArgumentHelp("Numbers of workers. [1, 2, 4, … usable CPUs]", valueName: "n,..."))
  var workers: WorkerCounts?

  @Option(name: .customLong("repeat"), help: ArgumentHelp("Rounds. [5]", valueName: "n"))
  var rounds: Count?

  @Flag(help: "As JSON.") var json = false

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("What wpool process takes.", valueName: "config, input, options"),
    completion: .file())
  var words: [String] = []

  func run() throws {
    guard !words.isEmpty else { throw Failure.usage("no input; see wpool bench --help") }
    let command = try ProcessCommand.parse(words)
    let (told, limits) = (command.words, command.limits)
    for (isGiven, name) in [
      (told.stats, "--stats"), (told.reportJson != nil, "--report-json"),
      (told.timeline != nil, "--timeline"), (told.dryRun, "--dry-run"),
      (told.printConfig, "--print-config"), (told.verbose, "--verbose"),
      (limits.serial, "--serial"), (limits.maxWorkers != nil, "--max-workers"),
    ] where isGiven {
      throw Failure.usage("\(name) is for wpool process; see wpool bench --help")
    }
    var bench = Bench(command)
    try bench.run(workers: workers?.counts ?? Self.workerCounts, rounds: rounds?.number ?? 5)
    throw Console.write(json ? bench.json.page : bench.text)
  }

  private static var workerCounts: [Int] {
    let most = Pool.usableCPUs
    return Array(sequence(first: 1) { $0 * 2 < most ? $0 * 2 : nil }) + (most > 1 ? [most] : [])
  }
}
