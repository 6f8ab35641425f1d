// SPDX-License-Identifier: MIT

/// The steps there are.
public enum StepCatalogue {
  /// All of them, by group.
  public static var steps: [StepDescription] {
    [
      CutStart.description, CutEnd.description, Truncate.description, Prefix.description,
      Postfix.description, ConvertQuality.description, ReverseComplement.description,
      Rename.description, MergeReads.description, Swap.description, Lowercase.description,
      Uppercase.description, TrimAtTag.description,
      StoreTagInSequence.description, ReplaceTagWithLetter.description,
      Head.description, Skip.description, FilterSample.description,
      FilterReservoirSample.description, FilterEmpty.description,
      FilterByTag.description, FilterByNumericTag.description,
      ValidateReadPairing.description, ValidateName.description, ValidateSeq.description,
      ValidateQuality.description, ValidateAllReadsSameLength.description,
      ExtractIUPAC.description, ExtractRegion.description, ExtractRegions.description,
      ExtractIUPACSuffix.description, ExtractIUPACWithIndel.description,
      ExtractPolyTail.description, ExtractLongestPolyX.description,
      ExtractRegionsOfLowQuality.description, ExtractRegex.description,
      ExtractLowQualityStart.description, ExtractLowQualityEnd.description,
      CalcLength.description, CalcNCount.description, CalcGCContent.description,
      CalcBaseContent.description, CalcComplexity.description, CalcQualifiedBases.description,
      CalcExpectedError.description, CalcKmers.description, TagOtherFile.description,
      ConvertRegionsToLength.description,
      EvalExpression.description, HammingCorrect.description, ConcatTags.description,
      ForgetTag.description, ForgetAllTags.description,
      StoreTagInComment.description, StoreTagLocationInComment.description,
      Demultiplex.description, StoreTagsInTable.description, StoreTagInFastQ.description,
      QuantifyTag.description, Inspect.description, Progress.description, Report.description,
      TagDuplicates.description, InternalReadCount.description, InternalDelay.description,
      InduceFailure.description,
    ]
  }

  /// The step of this name or alias; letter case, `_` and `-` do not count.
  public static func step(named name: String) -> StepDescription? {
    steps.first { $0.isCalled(name) }
  }
}
