// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct ProcessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "process",
    abstract: "Read records, take them through steps and commands, write them in input order.",
    usage: """
      wpool process <config.toml> [<options>]
      wpool process <input> ... [-o <output> ...] [<options>]
      """,
    discussion: """
      A configuration says what is read, done and written; wpool validate checks one. \
      Inputs are plain, gzip, BGZF or zstd, told apart by content, and read one after the other. \
      Outputs appear under their names only when all of them are complete; until then, and after \
      a failure, the file <output>.incompleted is there. Sizes are numbers with K, M or G, powers \
      of 1024.

      wpool process reads.fq.gz -o long.fq.gz \\
        --step 'CalcLength out_label=n' \\
        --step 'FilterByNumericTag in_label=n min_value=50 keep_or_remove=keep'
      wpool process r1.fq.gz --mate r2.fq.gz -o 'head_{segment}.fq.zst' --step 'Head n=1000'
      wpool process --lines log.gz --command 'grep error' --command-ok 0,1
      """)

  /// A first input that ends in `.toml` is a configuration, unless there is an output.
  func job() throws -> ProcessJob {
    if streams.inputs.isEmpty && !streams.output.isEmpty {
      throw Failure.usage("no input; see wpool process --help")
    }
    let first = try streams.inputs.first ?? OnlyConfiguration.find()
    if first.hasSuffix(".toml") && streams.output.isEmpty {
      return try ConfigurationPlan(self, path: first).build()
    }
    var builder = PlanBuilder(self)
    return try builder.build()
  }

  private func printedConfiguration(_ job: ProcessJob) throws -> ExitCode {
    guard streams.inputs.first?.hasSuffix(".toml") != true || !streams.output.isEmpty,
      !streams.inputs.isEmpty, job.hasReads, job.plan.commands.isEmpty
    else { throw Failure.usage("--print-config is for reads and steps that are given as flags") }
    let steps = try work.step.map { try StepParser.parse($0) }
    return Console.write(PrintedConfiguration(job, steps: steps).text)
  }

  @OptionGroup(title: "Inputs and outputs") var streams: StreamOptions
  @OptionGroup(title: "Reading") var unpack: UnpackOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "Workers and limits") var limits: LimitOptions
  @OptionGroup(title: "What is told") var words: WordOptions

  func run() throws {
    let job = try job()
    if words.printConfig { throw try printedConfiguration(job) }
    throw words.dryRun ? try DryRun(job).run() : try ProcessSession(job).run()
  }
}

struct StreamOptions: ParsableArguments {
  @Argument(
    help: "Files to read; - is standard input.", completion: .file())
  var inputs: [String] = []

  @Option(
    help: ArgumentHelp(
      "File with the mates of an input's reads, one for each input: segments read1 and read2.",
      valueName: "file"), completion: .file())
  var mate: [String] = []

  @Flag(help: "The input holds the reads of read1 and read2 in turn.")
  var interleaved = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      """
      File to write; - is standard output, as is no -o. Twice: one for each segment. Once: pairs \
      are interleaved, or, with {segment} in the name, there is a file for each.
      """, valueName: "file"), completion: .file())
  var output: [String] = []

  @Option(
    help: ArgumentHelp(
      "plain, gzip or zstd, instead of what the output's suffix says: .gz .bgz .zst .zstd.",
      valueName: "codec"))
  var compression: CompressionChoice?

  @Option(
    help: ArgumentHelp(
      "fastq or fasta, instead of what the output's suffix says: .fa .fasta .fna; else fastq.",
      valueName: "format"))
  var format: FormatChoice?

  @Option(
    help: ArgumentHelp(
      "FASTA may be read, and this is the quality of its bases: a character.",
      valueName: "character"))
  var fastaFakeQuality: QualityChoice?

  @Option(
    help: ArgumentHelp(
      "Level: gzip 0 to 9 [\(PlanBuilder.gzipLevel)], zstd 1 to 22 [2; lines: 3].", valueName: "n"))
  var level: Int?

  @Flag(
    help: """
      Beside each gzip output write its index, <output>.gzi, which bgzip and samtools know.
      """)
  var bgzfIndex = false

  @Flag(help: "End each zstd output with a seek table (zstd's seekable format).")
  var zstdSeekTable = false

  @Flag(help: "Replace outputs that exist. No input is ever written.")
  var allowOverwrite = false

  @Flag(help: "Keep the temporary files after a failure.")
  var keepPartial = false

  @Flag(help: "Put files and folders on the device before an output gets its name.")
  var sync = false
}

struct WorkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A step and its keys, as list-steps shows them; repeatable, in order.",
      valueName: "action key=value ..."))
  var step: [String] = []

  @Flag(help: "The input is lines; steps are Head, Skip and FilterSample.")
  var lines = false

  @Option(
    help: ArgumentHelp(
      "The same for records that end with this byte: a character, \\0, \\t, \\xHH.",
      valueName: "byte"))
  var delimiter: ByteValue?

  @Option(help: ArgumentHelp("The same for records of this size.", valueName: "n"))
  var recordBytes: Count?

  @Option(
    help: ArgumentHelp(
      """
      Run sh -c with this for every block, after all steps: the block on its standard input, the \
      result on its standard output; repeatable, in order. WPOOL_BLOCK is the block's number.
      """, valueName: "command"))
  var command: [String] = []

  @Option(
    help: ArgumentHelp("Exit codes of commands that are no error. [0]", valueName: "codes"))
  var commandOk: ExitCodeList?
}

struct LimitOptions: ParsableArguments {
  @Option(
    name: [.customShort("j"), .long],
    help: ArgumentHelp(
      "Workers, packing and unpacking included. [$WPOOL_MAX_WORKERS, or auto: usable CPUs]",
      valueName: "n|auto"))
  var maxWorkers: WorkerCount?

  @Flag(help: "No workers: one plain loop, to compare with.")
  var serial = false

  @Option(
    help: ArgumentHelp(
      """
      Blocks in memory at most. [the smaller of 100 and 4 for each worker and 4: a block of \
      10,000 reads is some megabytes]
      """, valueName: "n"))
  var maxBlocks: Count?

  @Option(
    help: ArgumentHelp(
      """
      No new block while those in memory have this many unpacked bytes; a larger block \
      passes alone. [1G]
      """,
      valueName: "size"))
  var maxBytes: Size?

  @Option(
    help: ArgumentHelp("Records in a block. [10000; lines: as --block-bytes says]", valueName: "n"))
  var blockSize: Count?

  @Option(
    help: ArgumentHelp(
      "Bytes in a block of lines, delimited or fixed records. [1M; 4M with --command]",
      valueName: "size"))
  var blockBytes: Size?

  @Option(help: ArgumentHelp("Longest record. [256M]", valueName: "size"))
  var maxRecord: Size?

  /// Unpacked bytes in memory beyond which no new block is begun.
  var mostBytes: Int { maxBytes?.bytes ?? 1 << 30 }
}

struct WordOptions: ParsableArguments {
  @OptionGroup var progress: ProgressOptions

  @Flag(help: "Print a table of the run on standard error.")
  var stats = false

  @Option(
    help: ArgumentHelp("Write what happened as JSON, also after a failure.", valueName: "file"),
    completion: .file())
  var reportJson: String?

  @Option(
    help: ArgumentHelp(
      """
      Write what every worker did when, also after a failure, for https://ui.perfetto.dev or \
      chrome://tracing: the last 65536 calls of each.
      """, valueName: "file"), completion: .file())
  var timeline: String?

  @Flag(name: [.customShort("n"), .long], help: "Check, print what would be done, write nothing.")
  var dryRun = false

  @Flag(help: "Print the configuration that does the same as these flags, and do nothing.")
  var printConfig = false

  @Flag(name: .shortAndLong, help: "More notes: what inputs and outputs are.")
  var verbose = false
}
