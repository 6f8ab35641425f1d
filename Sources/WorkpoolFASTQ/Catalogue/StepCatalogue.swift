// SPDX-License-Identifier: MIT

/// The steps there are.
public enum StepCatalogue {
  /// All of them, by group.
  public static var steps: [StepDescription] {
    [
      CutStart.description, CutEnd.description, Truncate.description,
      ReverseComplement.description, Lowercase.description, Uppercase.description,
      Head.description, Skip.description, FilterSample.description, FilterEmpty.description,
      FilterByNumericTag.description,
      ValidateReadPairing.description, ValidateName.description, ValidateSeq.description,
      ValidateQuality.description,
      CalcLength.description, CalcQualifiedBases.description, CalcExpectedError.description,
    ]
  }

  /// The step of this name or alias; letter case, `_` and `-` do not count.
  public static func step(named name: String) -> StepDescription? {
    steps.first { $0.isCalled(name) }
  }
}
