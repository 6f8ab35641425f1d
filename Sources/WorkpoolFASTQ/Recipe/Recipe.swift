// SPDX-License-Identifier: MIT
import WorkpoolCore

public struct RecipeOptions: Sendable {
  /// Ends the name where a name without comment is meant.
  public var commentCharacter = UInt8(ascii: " ")
  /// Whether a ValidateReadPairing is put first where there are several segments and no step
  /// compares names.
  public var checksPairing = true

  public init() {}
}

/// Checked steps and the segments that they work on: what a pipeline is built from.
///
/// ```swift
/// let recipe = try Recipe(segments: ["read1"], steps: [StepParser.parse("Truncate n=50")])
/// let batch = try recipe.makeBatch()      // for each block: fill batch.segments[0].text,
/// try batch.parse(endsFile: true)         // find the records,
/// for stage in recipe.stages { _ = try stage.run(batch) }
/// try FASTQEncoder.encode(batch, segments: 0..<1, into: &output)
/// ```
///
/// Serves one run at a time.
public final class Recipe: @unchecked Sendable {
  /// Names in the order of a batch's segments: by name, interleaved ones as listed.
  public let segments: [String]
  public let isInterleaved: Bool
  public let steps: [Step]
  public let stages: [StagePlan]
  private let columns: Int

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
    stages = StagePlan.plans(for: builder.steps)
    columns = builder.tags.columnCount
  }

  /// A batch with room for what the steps keep; to be used again and again.
  public func makeBatch() throws(WorkpoolError) -> FASTQBatch {
    try FASTQBatch(
      segments: segments.count, isInterleaved: isInterleaved, columns: columns,
      steps: steps.count)
  }

  /// Begins a run: the steps forget what they saw.
  public func begin() {
    for step in steps { step.begin() }
  }

  private static func comparesNames(_ requests: [StepRequest]) -> Bool {
    requests.contains { request in
      let name = StepCatalogue.step(named: request.action)?.name
      return name == "ValidateReadPairing" || name == "ValidateName"
    }
  }
}
