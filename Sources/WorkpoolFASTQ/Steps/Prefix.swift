// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Puts bases and their qualities before a read.
final class Prefix: AddedBases {
  static var description: StepDescription {
    StepDescription(
      "Prefix", "add bases at the start", keys: keys, check: check,
      make: { arguments throws(WorkpoolError) in try Prefix(arguments, isAtStart: true) })
  }
}
