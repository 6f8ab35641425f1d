// SPDX-License-Identifier: MIT
import WorkpoolCore

public struct RecipeOptions: Sendable {
  /// Ends the name where a name without comment is meant.
  public var commentCharacter = UInt8(ascii: " ")
  /// Whether a ValidateReadPairing is put first where there are several segments and no step
  /// compares names.
  public var checksPairing = true
  public var barcodes: [BarcodeSection] = []
  /// How the files of steps are called; nil where there can be none.
  public var naming: OutputNaming?

  public init() {}
}

/// Checked steps and the segments that they work on: what a pipeline is built from.
///
/// ```swift
/// let recipe = try Recipe(segments: ["read1"], steps: [StepParser.parse("Truncate n=50")])
/// let batch = try recipe.makeBatch()      // for each block: fill batch.segments[0].text,
/// try batch.parse(endsFile: true)         // find the records,
/// for stage in recipe.stages { _ = try stage.run(batch) }
/// try FASTQEncoder.encode(batch, segments: [0], into: &output)
/// ```
///
/// Serves one run at a time.
public final class Recipe: @unchecked Sendable {
  /// Names in the order of a batch's segments: by name, interleaved ones as listed.
  public let segments: [String]
  public let isInterleaved: Bool
  public let steps: [Step]
  public let stages: [StagePlan]
  /// The streams that reads are written to, one alone unless a step demultiplexes.
  public let streams: [OutputStream]
  /// What the run reports, and the files that it writes besides the reads.
  public let files: [StepFile]
  private let columns: [TagKind]

  /// - Throws: everything that is wrong.
  public init(
    segments names: [String], isInterleaved: Bool = false, steps requests: [StepRequest],
    options: RecipeOptions = RecipeOptions()
  ) throws(RecipeError) {
    segments = Segments.ordered(names, isInterleaved: isInterleaved)
    self.isInterleaved = isInterleaved
    var builder = RecipeBuilder(segments: segments, options: options)
    if options.checksPairing && segments.count > 1 && !Self.comparesNames(requests) {
      builder.add(StepRequest("ValidateReadPairing"), number: nil)
    }
    for (index, request) in requests.enumerated() { builder.add(request, number: index + 1) }
    builder.reportUnusedTags()
    let problems =
      Segments.problems(names, isInterleaved: isInterleaved).map { RecipeProblem(message: $0) }
      + builder.problems
    guard problems.isEmpty else { throw RecipeError(problems: problems) }
    steps = builder.steps
    let lastSeeingAll = steps.lastIndex { $0.merging == .seesAll } ?? -1
    for (index, step) in steps.enumerated() {
      step.index = index
      step.mergesInStage = step.merging != .none && index <= lastSeeingAll
    }
    stages = StagePlan.plans(for: builder.steps)
    streams = builder.streams
    files = builder.steps.flatMap { $0.files }
    columns = builder.tags.kinds
  }

  /// A batch with room for what the steps keep; to be used again and again.
  public func makeBatch() throws(WorkpoolError) -> FASTQBatch {
    let batch = try FASTQBatch(
      segments: segments.count, isInterleaved: isInterleaved, columns: columns,
      steps: steps.count)
    batch.hasStreams = streams.count > 1
    return batch
  }

  /// Begins a run: the steps forget what they saw.
  public func begin() { begin([]) }

  /// - Parameter writers: one for each of `files`.
  func begin(_ writers: [StepFileWriter]) {
    var first = 0
    for step in steps {
      let count = step.files.count
      step.writers = writers.isEmpty ? [] : Array(writers[first..<first + count])
      first += count
      step.begin()
    }
  }

  /// Lets the steps whose findings end with the pipeline take those of the next batch, which went
  /// through the steps from `first` on.
  func mergeAtEnd(_ batch: FASTQBatch, from first: Int = 0) throws(WorkpoolError) {
    for (index, step) in steps.enumerated()
    where index >= first && step.merging != .none && !step.mergesInStage {
      if let partial = batch.partials[index] { try step.merge(partial) }
    }
  }

  var needsInputFacts: Bool { steps.contains { $0.needsInputFacts } }

  /// Whether a step has something to say in the report of a run.
  public var hasReports: Bool { steps.contains { $0.reporting != .none } }
  /// Whether a step has nothing but the report.
  public var needsReport: Bool { steps.contains { $0.reporting == .alone } }

  /// Files that the steps read besides the reads.
  public var inputs: [String] { steps.flatMap { $0.inputs } }

  /// Lets the steps read them.
  func prepare() throws(WorkpoolError) {
    for step in steps { try step.prepare() }
  }

  /// What the steps have to report, in their order.
  func reports() throws(WorkpoolError) -> [StepReport] {
    var reports: [StepReport] = []
    for step in steps {
      if let report = try step.report() { reports.append(report) }
    }
    return reports
  }

  /// After the last batch: the steps write what they have to say about the whole run.
  func end() throws(WorkpoolError) {
    for step in steps { try step.end() }
  }

  private static func comparesNames(_ requests: [StepRequest]) -> Bool {
    requests.contains { request in
      let name = StepCatalogue.step(named: request.action)?.name
      return name == "ValidateReadPairing" || name == "ValidateName"
    }
  }
}
