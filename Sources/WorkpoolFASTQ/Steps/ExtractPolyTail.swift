// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds a stretch of one base at the end of a read: as far as the mismatches are few enough of what
/// was seen, and not too many of the whole read or in a row.
final class ExtractPolyTail: ExtractPoly {
  static var description: StepDescription {
    StepDescription(
      "ExtractPolyTail", "find a stretch of one base at the end", keys: keys(minLength: 2),
      make: { arguments throws(WorkpoolError) in try ExtractPolyTail(arguments, any: "AGCTN") })
  }

  override func stretch(
    of base: UInt8, in sequence: UnsafePointer<UInt8>, _ length: Int
  ) -> Range<Int>? {
    var start: Int?
    var mismatches = 0
    var consecutive = 0
    var index = length
    while index > 0 {
      index &-= 1
      if sequence[index] == base {
        consecutive = 0
        let seen = length &- index
        if seen >= minLength && Double(mismatches) / Double(seen) <= maxRate { start = index }
      } else {
        mismatches &+= 1
        consecutive &+= 1
        if consecutive > maxConsecutive || Double(mismatches) / Double(length) > maxRate { break }
      }
    }
    return start.map { $0..<length }
  }
}
