// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Puts bases and their qualities behind a read.
final class Postfix: AddedBases {
  static var description: StepDescription {
    StepDescription(
      "Postfix", "add bases at the end", keys: keys, check: check,
      make: { arguments throws(WorkpoolError) in try Postfix(arguments, isAtStart: false) })
  }
}
