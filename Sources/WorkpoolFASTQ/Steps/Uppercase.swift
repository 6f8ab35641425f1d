// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Makes the ASCII letters of sequences, or of names up to the comment character, upper-case.
final class Uppercase: ChangeCase {
  static var description: StepDescription {
    StepDescription(
      "Uppercase", "make the letters of sequences or names upper-case", keys: keys,
      make: { arguments throws(WorkpoolError) in
        try Uppercase(arguments, first: UInt8(ascii: "a"))
      })
  }
}
