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
  private var recipe: Recipe?

  public init(segments: [String], isInterleaved: Bool) throws(WorkpoolError) {
    guard !segments.isEmpty else {
      throw WorkpoolError(.invalidArgument, "a recipe has at least one segment")
    }
    self.segments = segments
    self.isInterleaved = isInterleaved
  }

  /// Adds a step as it is written on the command line.
  public func add(_ step: String) throws(WorkpoolError) {
    guard recipe == nil else { throw WorkpoolError(.invalidState, "the recipe was checked") }
    requests.append(try StepParser.parse(step))
  }

  /// Judges all steps together, once.
  @discardableResult
  public func check() throws(WorkpoolError) -> Recipe {
    if let recipe { return recipe }
    do throws(RecipeError) {
      let recipe = try Recipe(
        segments: segments, isInterleaved: isInterleaved, steps: requests)
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
  /// each (or one for all).
  public func run(
    on pool: Pool?, inputs: [String], outputs: [String], _ options: Options
  ) throws(WorkpoolError) -> ProcessReport {
    let recipe = try check()
    guard outputs.count == 1 || outputs.count == recipe.segments.count else {
      throw WorkpoolError(.invalidArgument, "there must be one output, or one for each segment")
    }
    var plan = ProcessPlan(
      content: .records(recipe, recordsPerBlock: options.recordsPerBlock),
      inputs: inputs.map { [.path($0)] },
      outputs: outputs.enumerated().map { index, path in
        ProcessPlan.Output(
          .path(path), segments: outputs.count == 1 ? Array(0..<recipe.segments.count) : [index],
          compression: options.compression ?? Compression(path: path), level: options.level)
      })
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
}
