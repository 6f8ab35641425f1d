// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// What a run reads, does and writes. A value: nothing is opened by it.
public struct ProcessPlan {
  public enum Content {
    /// FASTQ records through the steps of a recipe. `inputs` has one list of files for each segment
    /// of the recipe, in its order, or a single list if the recipe is interleaved.
    case records(Recipe, recordsPerBlock: Int)
    /// Any bytes, cut into blocks by a splitter. The recipe, of one segment, may hold steps that count
    /// records and look into none: `ProcessPlan.countingSteps`.
    case blocks(Splitter, Recipe?)
  }

  public struct Output {
    public var endpoint: Endpoint
    /// The segments that go there, interleaved in this order if they are several.
    public var segments: [Int]
    /// The output stream that goes there; nil: all.
    public var stream: Int?
    public var compression: Compression
    /// FASTQ, or FASTA with each sequence on one line.
    public var format = RecordFormat.fastq
    /// nil: the default of the compression.
    public var level: Int?
    /// Path of a .gzi index, for gzip alone.
    public var bgzfIndex: String?
    /// Whether a seek table is at the end, for zstd alone.
    public var hasSeekTable = false
    /// Files of so many reads instead of one; the endpoint is that of the first.
    public var chunks: OutputChunks?
    /// Whether `{path}.uncompressed.sha256` and `{path}.compressed.sha256` get the hashes of what is in it
    /// and of the file itself.
    public var hashesContent = false
    public var hashesFile = false
    /// Who writes it, for messages.
    public var owner = "output"

    public init(
      _ endpoint: Endpoint, segments: [Int] = [0], compression: Compression,
      level: Int? = nil
    ) {
      self.endpoint = endpoint
      self.segments = segments
      self.compression = compression
      self.level = level
    }
  }

  /// An output in files of `size` reads each, `{base}.{n}.{suffix}`.
  public struct OutputChunks: Sendable {
    public var size: Int
    public var base: String
    public var suffix: String

    public init(size: Int, base: String, suffix: String) {
      self.size = size
      self.base = base
      self.suffix = suffix
    }

    /// With as many digits as `last` has.
    public func path(_ number: Int, last: Int) -> String {
      let digits = String(number)
      let zeros = String(last).utf8.count - digits.utf8.count
      return base + "." + String(repeating: "0", count: zeros) + digits
        + (suffix.isEmpty ? "" : "." + suffix)
    }
  }

  /// Names of the steps that work on any record.
  public static let countingSteps = [
    "Head", "Skip", "FilterSample", "FilterReservoirSample",
  ]

  public var content: Content
  /// Files of each text stream, read one after the other.
  public var inputs: [[Endpoint]]
  public var outputs: [Output]
  public var reader = CompressedReader.Options()
  /// FASTA may be read, and this is the quality of its bases.
  public var fakeQuality: UInt8?
  public var maxRecord = Splitter.defaultMaxRecord
  /// External filters, in turn, on the encoded bytes of the only output.
  public var commands: [BlockCommand] = []
  public var outputSet = OutputSet.Options()
  /// What the marker of an unfinished run is named after; nil: the first output.
  public var prefix: String?
  /// Whether a run that writes no file is meant.
  public var mayWriteNothing = false
  public var pipeline = Pipeline.Options()
  /// Where what the steps report goes.
  public var reports: [RunReportFile] = []
  /// Where the times of all parts go, which are measured then.
  public var timing: String?
  /// The first block is used again and again until so many reads have passed; for a plan that
  /// discards its outputs.
  public var benchmarkReads: Int?
  /// Whether nothing is left behind: neither reads nor what steps write.
  private(set) var discardsOutputs = false

  public init(content: Content, inputs: [[Endpoint]], outputs: [Output]) {
    self.content = content
    self.inputs = inputs
    self.outputs = outputs
  }

  var recipe: Recipe? {
    switch content {
    case .records(let recipe, _): recipe
    case .blocks(_, let recipe): recipe
    }
  }

  /// The same work with nothing left behind: packed reads too go to the null device.
  public mutating func discardOutputs() {
    discardsOutputs = true
    mayWriteNothing = true
    prefix = nil
    reports = []
    timing = nil
    for index in outputs.indices {
      outputs[index].endpoint = .path("/dev/null")
      outputs[index].bgzfIndex = nil
      outputs[index].chunks = nil
      outputs[index].hashesContent = false
      outputs[index].hashesFile = false
    }
  }

  /// Files besides the reads: those of the steps, then hashes, then the report.
  public var sideFiles: [StepFile] {
    guard !discardsOutputs else { return [] }
    var files = recipe?.files ?? []
    for output in outputs where output.chunks == nil {
      for (isWanted, kind) in [(output.hashesContent, "un"), (output.hashesFile, "")] where isWanted
      {
        let path = output.endpoint.name + "." + kind + "compressed.sha256"
        files.append(StepFile(endpoint: .path(path), owner: "hash of " + output.owner))
      }
    }
    for report in reports {
      files.append(StepFile(endpoint: .path(report.path), owner: "the report"))
    }
    if let timing { files.append(StepFile(endpoint: .path(timing), owner: "the times")) }
    return files
  }

  /// Everything that can be judged without opening anything.
  func check() throws(WorkpoolError) {
    let streams: Int
    switch content {
    case .records(let recipe, let count):
      streams = recipe.isInterleaved ? 1 : recipe.segments.count
      guard count >= 1 else {
        throw WorkpoolError(.invalidArgument, "a block holds at least one record")
      }
    case .blocks(_, let recipe):
      streams = 1
      let other = recipe?.steps.first { !Self.countingSteps.contains($0.name) }
      if let other {
        throw WorkpoolError(.invalidArgument, other.name + " needs FASTQ records")
      }
    }
    guard inputs.count == streams, inputs.allSatisfy({ !$0.isEmpty }) else {
      throw WorkpoolError(.invalidArgument, "every segment needs an input")
    }
    guard inputs.allSatisfy({ $0.count == inputs[0].count }) else {
      throw WorkpoolError(.invalidArgument, "all segments need equally many inputs")
    }
    let writesElsewhere =
      mayWriteNothing || !reports.isEmpty || timing != nil
      || recipe.map { !$0.files.isEmpty } ?? false
    guard !outputs.isEmpty || writesElsewhere else {
      throw WorkpoolError(.invalidArgument, "there is no output")
    }
    if outputs.count > 1 && !commands.isEmpty {
      throw WorkpoolError(.invalidArgument, "a command works on a single output")
    }
    let segments = recipe?.segments.count ?? 1
    for output in outputs
    where output.segments.isEmpty || output.segments.contains(where: { $0 >= segments }) {
      throw WorkpoolError(.invalidArgument, "there is no such segment", path: output.endpoint.name)
    }
  }
}
