// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the longest end of a read that is a beginning of the text searched for, by Hamming distance:
/// an adapter that the read runs into. Bytes are compared as they are.
final class ExtractIUPACSuffix: FoundRegion {
  static var description: StepDescription {
    StepDescription(
      "ExtractIUPACSuffix", "find the beginning of a sequence at the end of a read",
      keys: [
        StepKey("search", aliases: ["query", "pattern"], .letters(.dna)),
        StepKey("segment", .segment), StepKey("min_length", .int(1...Int.max)),
        StepKey("max_mismatches", .int(0...255)), StepKey("out_label", .newLabel(.location)),
      ],
      check: { arguments in
        let length = arguments.text("search").utf8.count
        return arguments.int("min_length") <= length
          ? nil
          : "min_length = " + String(arguments.int("min_length"))
            + " is more than the length of search, "
            + String(length)
      },
      make: { arguments throws(WorkpoolError) in try ExtractIUPACSuffix(arguments) })
  }

  private let search: [UInt8]
  private let minLength: Int
  private let maxMismatches: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    search = Array(arguments.text("search").utf8)
    minLength = arguments.int("min_length")
    maxMismatches = arguments.int("max_mismatches")
    try super.init(arguments)
  }

  override func region(of read: Read) -> Range<Int>? {
    let size = read.length
    var length = min(search.count, size)
    return search.withUnsafeBufferPointer { search in
      while length >= minLength {
        let end = read.bases + (size - length)
        var different = 0
        for index in 0..<length where search[index] != end[index] {
          different &+= 1
          if different > maxMismatches { break }
        }
        if different <= maxMismatches { return size - length..<size }
        length -= 1
      }
      return nil
    }
  }
}
