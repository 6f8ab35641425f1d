// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the longest stretch of one base anywhere in a read, the leftmost of equal ones.
final class ExtractLongestPolyX: ExtractPoly {
  static var description: StepDescription {
    StepDescription(
      "ExtractLongestPolyX", "find the longest stretch of one base", keys: keys(minLength: 1),
      make: { arguments throws(WorkpoolError) in try ExtractLongestPolyX(arguments, any: "ACGT") })
  }

  override func stretch(
    of base: UInt8, in sequence: UnsafePointer<UInt8>, _ length: Int
  ) -> Range<Int>? {
    guard length > minLength else { return nil }
    var best: Range<Int>?
    for start in 0..<(length - minLength) {
      if length - start <= best?.count ?? 0 { break }
      var mismatches = 0
      var consecutive = 0
      for index in start..<length {
        if sequence[index] == base {
          consecutive = 0
        } else {
          mismatches &+= 1
          consecutive &+= 1
          if consecutive >= maxConsecutive { break }
          if Double(mismatches) / Double(length - start) > maxRate { break }
        }
        let seen = index &- start &+ 1
        if seen >= minLength, seen > best?.count ?? 0,
          Double(mismatches) / Double(seen) <= maxRate
        {
          best = start..<index + 1
        }
      }
    }
    return best
  }
}
