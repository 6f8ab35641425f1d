// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds a stretch of one base, or of the base with the longest stretch, with some mismatches.
class ExtractPoly: FoundRegion {
  static func keys(minLength: Int) -> [StepKey] {
    [
      StepKey("base", .choice([["A"], ["C"], ["G"], ["T"], ["N"], ["."]])),
      StepKey("min_length", .int(minLength...Int.max)),
      StepKey("max_mismatch_rate", .number(from: 0, below: 1)),
      StepKey("max_consecutive_mismatches", .int(0...Int.max)), StepKey("segment", .segment),
      StepKey("out_label", .newLabel(.location)),
    ]
  }

  /// In the order in which the first one of equals counts; of equal lengths the leftmost comes first.
  private let bases: [UInt8]
  let minLength: Int
  let maxRate: Double
  let maxConsecutive: Int

  /// - Parameter any: the bases that `.` stands for.
  init(_ arguments: StepArguments, any: String) throws(WorkpoolError) {
    let choice = arguments.choice("base")
    bases = choice == 5 ? Array(any.utf8) : [Array("ACGTN".utf8)[choice]]
    minLength = arguments.int("min_length")
    maxRate = arguments.number("max_mismatch_rate")
    maxConsecutive = arguments.int("max_consecutive_mismatches")
    try super.init(arguments)
  }

  override func region(of read: Read) -> Range<Int>? {
    var best: Range<Int>?
    for base in bases {
      guard let found = stretch(of: base, in: read.bases, read.length) else { continue }
      if let known = best, (known.count, -known.lowerBound) >= (found.count, -found.lowerBound) {
        continue
      }
      best = found
    }
    return best
  }

  func stretch(of base: UInt8, in sequence: UnsafePointer<UInt8>, _ length: Int) -> Range<Int>? {
    preconditionFailure("each step looks in its own way")
  }
}
