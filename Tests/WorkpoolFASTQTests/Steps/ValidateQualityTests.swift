// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ValidateQualityTests {
  @Test(
    "every byte lies in the encoding's range",
    arguments: [
      ("sanger", 33), ("illumina1.8", 33), ("Illumina-1.8", 33), ("solexa", 59),
      ("illumina1.3", 64),
    ])
  func ranges(encoding: String, lowest: UInt8) throws {
    let step = "ValidateQuality encoding=\(encoding)"
    let lowestText = String(UnicodeScalar(lowest))
    let good = record("r", "AC", lowestText + "~")
    #expect(try RecipeRun(step, good).output == good)
    for bad in [String(UnicodeScalar(lowest - 1)), "\u{7f}"] {
      let text = errorText { try RecipeRun(step, record("e", "") + record("r", "AC", "~" + bad)) }
      #expect(text.hasPrefix("step 1 (ValidateQuality): record 2: read r: quality "))
      #expect(text.hasSuffix(" is outside \(lowest) to 126"))
    }
  }

  @Test("an unknown encoding is refused with the nearest one")
  func unknown() {
    #expect(
      errorText { try RecipeRun("ValidateQuality encoding=sagner", "") }
        == "step 1 (ValidateQuality): encoding = \"sagner\" is none of sanger, solexa, "
        + "illumina1.3; nearest: \"sanger\"")
  }
}
