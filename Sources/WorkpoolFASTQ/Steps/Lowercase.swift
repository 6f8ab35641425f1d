// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Makes the ASCII letters of sequences, or of names up to the comment character, lower-case.
final class Lowercase: ChangeCase {
  static var description: StepDescription {
    StepDescription(
      "Lowercase", "make the letters of sequences or names lower-case", keys: keys,
      make: { arguments throws(WorkpoolError) in
        try Lowercase(arguments, first: UInt8(ascii: "A"))
      })
  }
}
