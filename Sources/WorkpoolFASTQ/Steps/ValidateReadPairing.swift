// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Fails unless, for each read looked at, all names are as long as the first segment's and differ
/// from it in one byte at most, so that `1:N:0` and `2:N:0`, `/1` and `/2` pass.
final class ValidateReadPairing: SampledNames {
  static var description: StepDescription {
    StepDescription(
      "ValidateReadPairing", aliases: ["SpotCheckReadNames"],
      "fail where names of a read set differ in more than one letter", kind: .serial,
      keys: [strideKey], minSegments: 2,
      make: { arguments throws(WorkpoolError) in try ValidateReadPairing(arguments) })
  }

  override func mismatch(
    _ first: UnsafeBufferPointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>
  ) -> String? {
    guard first.count == name.count else { return "the name has another length" }
    var different = 0
    for index in 0..<name.count where first[index] != name[index] { different += 1 }
    return different <= 1 ? nil : "the name differs in " + String(different) + " letters"
  }
}
