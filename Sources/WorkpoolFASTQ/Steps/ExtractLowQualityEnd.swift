// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the run of qualities below a bound at the end of a read.
final class ExtractLowQualityEnd: ExtractLowQuality {
  static var description: StepDescription {
    StepDescription(
      "ExtractLowQualityEnd", "find the bases of low quality at the end", keys: keys,
      make: { arguments throws(WorkpoolError) in
        try ExtractLowQualityEnd(arguments, isAtStart: false)
      })
  }
}
