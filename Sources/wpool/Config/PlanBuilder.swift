// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

/// What a command line asks for, checked as far as it can be without opening anything.
struct ProcessJob {
  var plan: ProcessPlan
  var recipe: Recipe?
  var segments: [String]
  /// 0: none, the serial reference.
  var workers: Int
  var words: WordOptions
  var progress: ProgressChoice

  /// Whether records are reads, or else just bytes.
  var hasReads: Bool {
    if case .records = plan.content { true } else { false }
  }
}

/// Makes a plan of a command line and collects all that is wrong with it.
struct PlanBuilder {
  private let streams: StreamOptions
  private let unpack: UnpackOptions
  private let work: WorkOptions
  private let limits: LimitOptions
  private let words: WordOptions
  private var problems: [String] = []

  init(_ command: ProcessCommand) {
    streams = command.streams
    unpack = command.unpack
    work = command.work
    limits = command.limits
    words = command.words
  }

  mutating func build() throws(Failure) -> ProcessJob {
    precondition(!streams.inputs.isEmpty, "a command without input runs a configuration")
    let workers = try workerCount()
    let progress = try words.progress.form()
    checkCombinations()
    let inputs = inputs()
    let outputs = outputs()
    try stopIfWrong()

    let recipe = try recipe()
    var plan = ProcessPlan(content: try content(recipe), inputs: inputs, outputs: outputs)
    plan.reader = unpack.reader
    plan.maxRecord = maxRecord
    plan.fakeQuality = streams.fastaFakeQuality?.byte
    plan.commands = work.command.map { text in
      var command = BlockCommand(text)
      if let codes = work.commandOk?.codes { command.acceptedExitCodes = codes }
      return command
    }
    plan.outputSet.allowsOverwrite = streams.allowOverwrite
    plan.outputSet.keepsPartial = streams.keepPartial
    plan.outputSet.syncs = streams.sync
    plan.pipeline.isSerialReference = limits.serial
    if words.timeline != nil { plan.pipeline.timelineEvents = 65_536 }
    plan.pipeline.maxBlocksInFlight =
      limits.maxBlocks?.number ?? min(100, 4 * max(workers, 1) + 4)
    plan.pipeline.maxBytesInFlight = limits.mostBytes
    return ProcessJob(
      plan: plan, recipe: recipe, segments: segments, workers: workers, words: words,
      progress: progress)
  }

  private func stopIfWrong() throws(Failure) {
    if !problems.isEmpty { throw Failure(exitCode: .usage, messages: problems) }
  }

  // MARK: The command line as a whole

  private func workerCount() throws(Failure) -> Int {
    if limits.serial { return 0 }
    return try WorkerCount.chosen(limits.maxWorkers)
  }

  private mutating func checkCombinations() {
    let cuts = [
      work.lines ? "--lines" : nil, work.delimiter.map { _ in "--delimiter" },
      work.recordBytes.map { _ in "--record-bytes" },
    ].compactMap { $0 }
    refuse(cuts.count > 1, cuts.joined(separator: " and ") + " exclude each other")
    if let cut = cuts.first {
      refuse(!streams.mate.isEmpty, cut + " and --mate exclude each other")
      refuse(streams.interleaved, cut + " and --interleaved exclude each other")
      refuse(streams.format != nil, cut + " and --format exclude each other")
      refuse(
        streams.fastaFakeQuality != nil, cut + " and --fasta-fake-quality exclude each other")
    }
    refuse(
      !streams.mate.isEmpty && streams.interleaved, "--mate and --interleaved exclude each other")
    refuse(limits.serial && limits.maxWorkers != nil, "--serial and -j exclude each other")
    refuse(words.progress.quiet && words.verbose, "-q and -v exclude each other")
    refuse(work.commandOk != nil && work.command.isEmpty, "--command-ok needs --command")
    refuse(
      limits.blockSize != nil && limits.blockBytes != nil,
      "--block-size and --block-bytes exclude each other")
    refuse(
      limits.blockBytes != nil && !isBlocks,
      "--block-bytes needs --lines, --delimiter or --record-bytes")
    refuse(
      streams.interleaved && (limits.blockSize?.number ?? 2) % 2 != 0,
      "--block-size must be even for --interleaved")
    refuse(
      (limits.maxBlocks?.number ?? 1) > Pipeline.mostBlocksInFlight,
      "--max-blocks is more than \(Pipeline.mostBlocksInFlight)")
    if let problem = unpack.problem { problems.append(problem) }
    refuse(
      (work.recordBytes?.number ?? 0) > maxRecord, "--record-bytes is more than --max-record")
    if let problem = words.progress.problem { problems.append(problem) }
  }

  private mutating func refuse(_ isWrong: Bool, _ message: String) {
    if isWrong { problems.append(message) }
  }

  // MARK: Streams

  private var isBlocks: Bool {
    work.lines || work.delimiter != nil || work.recordBytes != nil
  }

  private var segments: [String] {
    if isBlocks { return ["lines"] }
    return streams.mate.isEmpty && !streams.interleaved ? ["read1"] : ["read1", "read2"]
  }

  private mutating func inputs() -> [[Endpoint]] {
    var lists = [streams.inputs]
    if !streams.mate.isEmpty {
      lists.append(streams.mate)
      refuse(
        streams.mate.count != streams.inputs.count,
        "as many --mate as inputs are needed, not \(streams.mate.count) for "
          + "\(streams.inputs.count)")
      for (input, mate) in zip(streams.inputs, streams.mate) where input == mate {
        refuse(input != "-", input + " is both an input and its own mate")
      }
    }
    refuse(lists.joined().filter { $0 == "-" }.count > 1, "- is given twice as an input")
    refuse(lists.joined().contains(""), "the name of an input is empty")
    return lists.map { $0.map { $0 == "-" ? .standardInput : .path($0) } }
  }

  private mutating func outputs() -> [ProcessPlan.Output] {
    let all = segments
    var names: [(name: String, segments: [Int])] = []
    switch streams.output.count {
    case 0: names = [("-", Array(all.indices))]
    case 1:
      let pieces = Self.pieces(of: streams.output[0])
      if pieces.count > 1 {
        for (index, segment) in all.enumerated() {
          names.append((pieces.joined(separator: segment), [index]))
        }
      } else {
        names = [(streams.output[0], Array(all.indices))]
      }
    case all.count:
      for (index, name) in streams.output.enumerated() {
        refuse(Self.pieces(of: name).count > 1, "{segment} names all outputs: one -o is enough")
        names.append((name, [index]))
      }
    default:
      refuse(
        true, "\(streams.output.count) outputs for \(all.count) segment\(all.count > 1 ? "s" : "")")
    }
    refuse(names.count > 1 && !work.command.isEmpty, "--command needs a single output")
    return names.map { output($0.name, $0.segments) }
  }

  /// What stands around `{segment}`.
  private static func pieces(of name: String) -> [String] {
    var pieces: [String] = []
    var rest = Array(name.utf8)[...]
    let mark = Array("{segment}".utf8)
    var piece: [UInt8] = []
    while let byte = rest.first {
      if rest.starts(with: mark) {
        pieces.append(String(decoding: piece, as: UTF8.self))
        piece = []
        rest = rest.dropFirst(mark.count)
      } else {
        piece.append(byte)
        rest = rest.dropFirst()
      }
    }
    return pieces + [String(decoding: piece, as: UTF8.self)]
  }

  /// The level of gzip where none is asked for, by measurement: faster than fastp, seqkit and cutadapt at
  /// their defaults, as small as the faster ones. The same file as in `Codecs/Deflate.swift`, one core,
  /// MB/s of text without reading, and packed / unpacked size:
  ///
  ///     zlib 4 71 .2111        libdeflate 4 106 .2042    libdeflate 5 72 .2022   libdeflate 6 43 .1972
  ///     seqkit 2.3 81 .2041    cutadapt 4.2 26 .2012     fastp 0.23 37 .2006     bgzip 24 .1942
  ///
  /// Level 6 is as fast as fastp and 2 % smaller, but has half the speed of seqkit.
  static let gzipLevel = 4
  /// That of zstd, for the same reason, with reads: level 1 27.41 MB at 0.36 s, 2 27.39 at 0.38, 3 27.28 at 0.46,
  /// 5 26.11 at 0.80; seqkit 27.7 at 0.92, cutadapt 27.4 at 1.24. Lines get zstd's own default.
  private var zstdLevel: Int { isBlocks ? 3 : 2 }

  private func defaultLevel(_ compression: Compression) -> Int? {
    switch compression {
    case .plain: nil
    case .gzip, .bgzf: Self.gzipLevel
    case .zstd: zstdLevel
    }
  }

  private mutating func output(_ name: String, _ segments: [Int]) -> ProcessPlan.Output {
    let compression =
      streams.compression?.compression ?? (name == "-" ? .plain : Compression(path: name))
    refuse(name.isEmpty, "the name of an output is empty")
    if let level = streams.level {
      refuse(compression == .plain, "--level: \(shown(name)) is not packed")
      let levels = compression.levels
      refuse(
        compression != .plain && !levels.contains(level),
        "--level \(level): \(compression.name) has \(levels.lowerBound) to \(levels.upperBound)")
    }
    let format = isBlocks ? .fastq : streams.format?.format ?? RecordFormat(path: name) ?? .fastq
    refuse(format == .bam, "\(name): BAM output is not supported by this version")
    var output = ProcessPlan.Output(
      name == "-" ? .standardOutput : .path(name), segments: segments, compression: compression,
      level: streams.level ?? defaultLevel(compression))
    output.format = format
    output.owner = "-o " + name
    if streams.bgzfIndex {
      refuse(compression != .gzip, "--bgzf-index: \(shown(name)) is not gzip")
      refuse(name == "-", "--bgzf-index: standard output has no name to put an index beside")
      output.bgzfIndex = name + ".gzi"
    }
    if streams.zstdSeekTable {
      refuse(compression != .zstd, "--zstd-seek-table: \(shown(name)) is not zstd")
      output.hasSeekTable = true
    }
    return output
  }

  private func shown(_ name: String) -> String { name == "-" ? "standard output" : name }

  // MARK: Work

  private var maxRecord: Int { limits.maxRecord?.bytes ?? Splitter.defaultMaxRecord }

  private func recipe() throws(Failure) -> Recipe? {
    var requests: [StepRequest] = []
    var problems: [String] = []
    for (index, text) in work.step.enumerated() {
      do throws(WorkpoolError) {
        requests.append(try StepParser.parse(text))
      } catch {
        problems.append("step \(index + 1): " + error.text)
      }
    }
    if isBlocks {
      for (index, request) in requests.enumerated() {
        guard let step = StepCatalogue.step(named: request.action),
          !ProcessPlan.countingSteps.contains(step.name)
        else { continue }
        problems.append(
          "step \(index + 1) (\(step.name)): needs reads; "
            + ProcessPlan.countingSteps.joined(separator: ", ") + " do not")
      }
      if requests.isEmpty && problems.isEmpty { return nil }
    }
    guard problems.isEmpty else { throw Failure(exitCode: .usage, messages: problems) }
    do throws(RecipeError) {
      return try Recipe(
        segments: segments, isInterleaved: streams.interleaved, steps: requests)
    } catch {
      throw Failure(exitCode: .usage, messages: error.problems.map { $0.text })
    }
  }

  private func content(_ recipe: Recipe?) throws(Failure) -> ProcessPlan.Content {
    guard isBlocks else {
      guard let recipe else { preconditionFailure("reads always have a recipe") }
      return .records(recipe, recordsPerBlock: limits.blockSize?.number ?? 10_000)
    }
    // A command is a process for each block: larger ones, so that starting it is a small part.
    let bytes = limits.blockBytes?.bytes ?? (work.command.isEmpty ? 1 << 20 : 4 << 20)
    if let size = work.recordBytes?.number {
      let count = limits.blockSize?.number ?? max(1, bytes / size)
      return .blocks(.fixed(FixedSplitter(recordSize: size, count: count)), recipe)
    }
    let size: LineSplitter.BlockSize =
      limits.blockSize.map { .records($0.number) } ?? .bytes(bytes)
    return .blocks(
      .lines(
        LineSplitter(
          size, delimiter: work.delimiter?.byte ?? UInt8(ascii: "\n"), maxRecord: maxRecord)),
      recipe)
  }
}
