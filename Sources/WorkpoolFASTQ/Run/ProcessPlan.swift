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
    /// The segments that go there, interleaved if they are several.
    public var segments: Range<Int>
    public var compression: Compression
    /// nil: the default of the compression.
    public var level: Int?
    /// Path of a .gzi index, for gzip alone.
    public var bgzfIndex: String?
    /// Whether a seek table is at the end, for zstd alone.
    public var hasSeekTable = false
    /// Who writes it, for messages.
    public var owner = "output"

    public init(
      _ endpoint: Endpoint, segments: Range<Int> = 0..<1, compression: Compression,
      level: Int? = nil
    ) {
      self.endpoint = endpoint
      self.segments = segments
      self.compression = compression
      self.level = level
    }
  }

  /// Names of the steps that work on any record.
  public static let countingSteps = ["Head", "Skip", "FilterSample"]

  public var content: Content
  /// Files of each text stream, read one after the other.
  public var inputs: [[Endpoint]]
  public var outputs: [Output]
  public var reader = CompressedReader.Options()
  public var maxRecord = Splitter.defaultMaxRecord
  /// External filters, in turn, on the encoded bytes of the only output.
  public var commands: [BlockCommand] = []
  public var outputSet = OutputSet.Options()
  public var pipeline = Pipeline.Options()

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
    guard !outputs.isEmpty else { throw WorkpoolError(.invalidArgument, "there is no output") }
    if outputs.count > 1 && !commands.isEmpty {
      throw WorkpoolError(.invalidArgument, "a command works on a single output")
    }
    let segments = recipe?.segments.count ?? 1
    for output in outputs where output.segments.isEmpty || output.segments.upperBound > segments {
      throw WorkpoolError(.invalidArgument, "there is no such segment", path: output.endpoint.name)
    }
  }
}
