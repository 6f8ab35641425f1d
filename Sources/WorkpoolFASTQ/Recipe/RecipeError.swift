// SPDX-License-Identifier: MIT
import WorkpoolCore

/// One thing that is wrong with a recipe.
public struct RecipeProblem: Equatable, Sendable {
  /// Where the step stands, such as `pipeline.toml:12`, if that is known.
  public var origin: String?
  /// Number of the step, from 1; nil where no step is concerned.
  public var step: Int?
  /// The step as the catalogue calls it, or as it was asked for.
  public var stepName: String?
  /// The key, if one is concerned.
  public var key: String?
  /// One sentence without a full stop.
  public var message: String

  /// `pipeline.toml:12: step 3 (Truncate): n is missing`
  public var text: String {
    var text = origin.map { $0 + ": " } ?? ""
    if let step { text += "step " + String(step) + " (" + (stepName ?? "") + "): " }
    return text + message
  }
}

/// All that is wrong with a recipe, in the order of its steps; never empty.
public struct RecipeError: Error, Equatable, Sendable {
  public var problems: [RecipeProblem]

  /// One line per problem.
  public var text: String { joined(problems.map { $0.text }, "\n") }

  public var asWorkpoolError: WorkpoolError { WorkpoolError(.invalidArgument, text) }
}
