// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the run of qualities below a bound at the start of a read.
final class ExtractLowQualityStart: ExtractLowQuality {
  static var description: StepDescription {
    StepDescription(
      "ExtractLowQualityStart", "find the bases of low quality at the start", keys: keys,
      make: { arguments throws(WorkpoolError) in
        try ExtractLowQualityStart(arguments, isAtStart: true)
      })
  }
}
