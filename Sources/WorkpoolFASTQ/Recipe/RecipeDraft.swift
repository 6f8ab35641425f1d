// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// A recipe that is put together step by step and runs files as often as asked.
///
/// Threads: one at a time.
public final class RecipeDraft {
  private let segments: [String]
  private let isInterleaved: Bool
  private var requests: [StepRequest] = []
  private var barcodes: [BarcodeSection] = []
  private var prefix: String?
  private var recipe: Recipe?

  public init(segments: [String], isInterleaved: Bool) throws(WorkpoolError) {
    guard !segments.isEmpty else {
      throw WorkpoolError(.invalidArgument, "a recipe has at least one segment")
    }
    self.segments = segments
    self.isInterleaved = isInterleaved
  }

  /// Adds a step as it is written on the command line.
  public func add(_ step: String) throws(WorkpoolError) { try add(StepParser.parse(step)) }

  public func add(_ step: StepRequest) throws(WorkpoolError) {
    try refuseLateness()
    requests.append(step)
  }

  /// Adds a barcode to a section, which Demultiplex and HammingCorrect name.
  public func add(barcode: String, stream: String, to section: String) throws(WorkpoolError) {
    try refuseLateness()
    if let index = barcodes.firstIndex(where: { $0.name == section }) {
      barcodes[index].barcodes.append((barcode, stream))
    } else {
      barcodes.append(BarcodeSection(name: section, barcodes: [(barcode, stream)]))
    }
  }

  /// How the names of files of steps begin, and of outputs where a run is given none.
  public func set(prefix: String) throws(WorkpoolError) {
    try refuseLateness()
    guard !prefix.isEmpty else { throw WorkpoolError(.invalidArgument, "the prefix is empty") }
    self.prefix = prefix
  }

  private func refuseLateness() throws(WorkpoolError) {
    guard recipe == nil else { throw WorkpoolError(.invalidState, "the recipe was checked") }
  }

  /// Judges all steps together, once.
  @discardableResult
  public func check() throws(WorkpoolError) -> Recipe {
    if let recipe { return recipe }
    for section in barcodes {
      if let problem = section.problems.first {
        throw WorkpoolError(
          .invalidArgument, "barcodes " + section.name + ": " + problem.message)
      }
    }
    var options = RecipeOptions()
    options.barcodes = barcodes
    options.naming = prefix.map { OutputNaming(prefix: $0) }
    do throws(RecipeError) {
      let recipe = try Recipe(
        segments: segments, isInterleaved: isInterleaved, steps: requests, options: options)
      self.recipe = recipe
      return recipe
    } catch {
      throw error.asWorkpoolError
    }
  }

  public struct Options {
    public var recordsPerBlock = 10_000
    public var compression: Compression?
    public var level: Int?
    public var allowsOverwrite = false
    public var pipeline = Pipeline.Options()
    /// Called on the running thread now and then, and once at the end.
    public var progress: ((ProcessProgress) -> Void)?
    public var progressNanoseconds: Int64 = 100_000_000
    public init() {}
  }

  /// Runs files through the steps: an input for each segment (or one, interleaved), and an output for
  /// each (or one for all); or none for a recipe with a prefix, which names them.
  public func run(
    on pool: Pool?, inputs: [String], outputs: [String], _ options: Options
  ) throws(WorkpoolError) -> ProcessReport {
    let recipe = try check()
    let isNamed = prefix != nil && outputs.isEmpty
    guard isNamed || outputs.count == 1 || outputs.count == recipe.segments.count else {
      throw WorkpoolError(.invalidArgument, "there must be one output, or one for each segment")
    }
    var plan = ProcessPlan(
      content: .records(recipe, recordsPerBlock: options.recordsPerBlock),
      inputs: inputs.map { [.path($0)] },
      outputs: isNamed
        ? named(recipe, options)
        : outputs.enumerated().map { index, path in
          ProcessPlan.Output(
            .path(path), segments: outputs.count == 1 ? Array(0..<recipe.segments.count) : [index],
            compression: options.compression ?? Compression(path: path), level: options.level)
        })
    plan.prefix = prefix
    if recipe.hasReports, let prefix {
      plan.reports = [RunReportFile(path: prefix + ".json")]
    }
    plan.outputSet.allowsOverwrite = options.allowsOverwrite
    plan.outputSet.hasMarker = false
    plan.pipeline = options.pipeline
    let run = try ProcessRun(plan, on: pool)
    try run.start()
    let slice = options.progress == nil ? -1 : max(options.progressNanoseconds, 1_000_000)
    while !(try run.wait(timeout: slice)) { options.progress?(run.progress) }
    let report = run.finish()
    options.progress?(run.progress)
    return report
  }

  /// A file for each segment, of each stream.
  private func named(_ recipe: Recipe, _ options: Options) -> [ProcessPlan.Output] {
    let naming = OutputNaming(prefix: prefix ?? "")
    let compression = options.compression ?? .plain
    let suffix =
      switch compression {
      case .plain: "fq"
      case .gzip, .bgzf: "fq.gz"
      case .zstd: "fq.zst"
      }
    var outputs: [ProcessPlan.Output] = []
    for (number, stream) in recipe.streams.enumerated() where stream.isWritten {
      for (index, segment) in recipe.segments.enumerated() {
        var output = ProcessPlan.Output(
          .path(naming.path([stream.name, segment], suffix: suffix)), segments: [index],
          compression: compression, level: options.level)
        output.stream = recipe.streams.count > 1 ? number : nil
        outputs.append(output)
      }
    }
    return outputs
  }
}
