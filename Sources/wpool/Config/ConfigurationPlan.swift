// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

/// Makes the same of a configuration and the flags beside it as `PlanBuilder` makes of flags alone.
struct ConfigurationPlan {
  private let command: ProcessCommand
  private let path: String

  /// - Parameter path: of the configuration.
  init(_ command: ProcessCommand, path: String) {
    self.command = command
    self.path = path
  }

  func build() throws(Failure) -> ProcessJob {
    try refuseFlags()
    let text = try ConfigurationText(path: path)
    let configuration = try Configuration(text)
    if let benchmark = configuration.benchmark, !benchmark.isEnabled {
      throw .usage(
        "\(path): [benchmark] is there and enable is not true: it runs with enable = true, and everything else "
          + "without [benchmark]")
    }
    let limits = command.limits
    let options = configuration.options
    var workers = 0
    if !limits.serial {
      workers =
        try Environment.value(limits.maxWorkers, or: "WPOOL_MAX_WORKERS")?.number
        ?? options.threads ?? Pool.usableCPUs
    }
    let recipe = configuration.recipe
    var plan = ProcessPlan(
      content: .records(recipe, recordsPerBlock: limits.blockSize?.number ?? options.blockSize),
      inputs: inputs(configuration), outputs: Self.outputs(configuration))
    plan.prefix = configuration.output?.naming.prefix
    plan.mayWriteNothing = configuration.output?.format == OutputSection.Format.none
    plan.benchmarkReads = configuration.benchmark?.moleculeCount
    if let output = configuration.output, output.hasTiming {
      plan.timing = output.naming.prefix + ".timing.json"
    }
    if let output = configuration.output {
      let head = reportHead(configuration, text.text)
      if output.hasJSONReport {
        plan.reports.append(RunReportFile(path: output.naming.prefix + ".json", head: head))
      }
      if output.hasHTMLReport {
        plan.reports.append(
          RunReportFile(
            path: output.naming.prefix + ".html", head: head,
            page: (ReportPage.before, ReportPage.after)))
      }
    }
    if plan.benchmarkReads != nil { plan.discardOutputs() }
    plan.reader = command.unpack.reader
    plan.fakeQuality = configuration.input.fakeQuality
    plan.maxRecord = limits.maxRecord?.bytes ?? Splitter.defaultMaxRecord
    plan.outputSet.allowsOverwrite = command.streams.allowOverwrite
    plan.outputSet.keepsPartial = command.streams.keepPartial
    plan.outputSet.syncs = command.streams.sync
    plan.outputSet.failure = options.outputFailure
    plan.pipeline.isSerialReference = limits.serial
    if command.words.timeline != nil { plan.pipeline.timelineEvents = 65_536 }
    plan.pipeline.maxBlocksInFlight =
      limits.maxBlocks?.number ?? options.maxBlocks ?? min(100, 4 * max(workers, 1) + 4)
    plan.pipeline.maxBytesInFlight = limits.mostBytes
    return ProcessJob(
      plan: plan, recipe: recipe, segments: recipe.segments, workers: workers,
      words: command.words, progress: try command.words.progress.form())
  }

  /// Flags that say what a configuration says itself.
  private func refuseFlags() throws(Failure) {
    let streams = command.streams
    let work = command.work
    let given: [(Bool, String)] = [
      (!streams.mate.isEmpty, "--mate"), (streams.interleaved, "--interleaved"),
      (streams.compression != nil, "--compression"), (streams.format != nil, "--format"),
      (streams.fastaFakeQuality != nil, "--fasta-fake-quality"), (streams.level != nil, "--level"),
      (streams.bgzfIndex, "--bgzf-index"), (streams.zstdSeekTable, "--zstd-seek-table"),
      (!work.step.isEmpty, "--step"), (work.lines, "--lines"),
      (work.delimiter != nil, "--delimiter"), (work.recordBytes != nil, "--record-bytes"),
      (!work.command.isEmpty, "--command"), (work.commandOk != nil, "--command-ok"),
      (command.limits.blockBytes != nil, "--block-bytes"),
    ]
    var messages = given.filter { $0.0 }.map { "\($0.1) and a configuration exclude each other" }
    if command.limits.serial && command.limits.maxWorkers != nil {
      messages.append("--serial and -j exclude each other")
    }
    if streams.inputs.count > 2 {
      messages.append(
        "a configuration is followed by a folder at most, not by \(streams.inputs.count - 1) words")
    }
    if let problem = command.unpack.problem { messages.append(problem) }
    if let problem = command.words.progress.problem { messages.append(problem) }
    if !messages.isEmpty { throw Failure(exitCode: .usage, messages: messages) }
  }

  /// What a report says of the run itself.
  private func reportHead(
    _ configuration: Configuration, _ text: String
  ) -> [(key: String, json: String)] {
    let input = configuration.input
    let names = input.isInterleaved ? input.keys : input.segments
    let folder = JSON(CurrentFolder.path)
    let version = JSON(VersionCommand.text)
    return [
      (
        "__",
        JSON.object([
          ("version", version), ("cwd", folder),
          (
            "input_files",
            .object(
              zip(names, input.files).map { ($0, .array($1.map { JSON($0) })) }
                + [
                  (
                    "interleaved",
                    input.isInterleaved ? .array(input.segments.map { JSON($0) }) : .null
                  )
                ])
          ),
          ("repository", .null),
        ]).indented
      ),
      (
        "run_info",
        JSON.object([
          ("program_version", version), ("input_toml", JSON(text)), ("working_directory", folder),
        ]).indented
      ),
    ]
  }

  /// In the recipe's order of the segments.
  private func inputs(_ configuration: Configuration) -> [[Endpoint]] {
    let input = configuration.input
    let lists: [[String]] =
      input.isInterleaved
      ? input.files
      : configuration.recipe.segments.map { name in
        input.segments.firstIndex(of: name).map { input.files[$0] } ?? []
      }
    return lists.map { list in
      list.map { $0 == InputSection.stdin ? .standardInput : .path($0) }
    }
  }

  static func outputs(_ configuration: Configuration) -> [ProcessPlan.Output] {
    guard configuration.benchmark == nil, let output = configuration.output, output.format != .none
    else { return [] }
    let recipe = configuration.recipe
    func number(_ name: String) -> Int? { recipe.segments.firstIndex(of: name) }
    func planned(_ endpoint: Endpoint, _ segments: [Int], _ stream: Int?) -> ProcessPlan.Output {
      var planned = ProcessPlan.Output(
        endpoint, segments: segments, compression: output.compression,
        level: output.level)
      planned.stream = stream
      planned.format = output.format == .fasta ? .fasta : .fastq
      planned.owner = "[output]"
      if case .path = endpoint {
        planned.hashesContent = output.hashesContent
        planned.hashesFile = output.hashesFiles
      }
      return planned
    }
    if output.isStdout {
      return [planned(.standardOutput, output.interleaved.compactMap(number), nil)]
    }
    var outputs: [ProcessPlan.Output] = []
    for (index, stream) in recipe.streams.enumerated() where stream.isWritten {
      let own = recipe.streams.count > 1 ? index : nil
      func add(_ part: String, _ segments: [Int]) {
        let names = [stream.name, part]
        var chunks: ProcessPlan.OutputChunks?
        if let size = output.chunkSize {
          chunks = ProcessPlan.OutputChunks(
            size: size, base: output.naming.path(names, suffix: ""), suffix: output.suffix)
        }
        let path =
          chunks?.path(0, last: 0) ?? output.naming.path(names, suffix: output.suffix)
        var file = planned(.path(path), segments, own)
        file.chunks = chunks
        outputs.append(file)
      }
      if !output.interleaved.isEmpty {
        add("interleaved", output.interleaved.compactMap(number))
      }
      for name in output.segments {
        if let segment = number(name) { add(name, [segment]) }
      }
    }
    return outputs
  }
}
