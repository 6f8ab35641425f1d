// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the longest end of a read that is a beginning of the text searched for, by Hamming distance:
/// an adapter that the read runs into. Bytes are compared as they are.
final class ExtractIUPACSuffix: Step {
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

  private let segment: Int
  private let column: Int
  private let search: [UInt8]
  private let minLength: Int
  private let maxMismatches: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    column = arguments.column("out_label")
    search = Array(arguments.text("search").utf8)
    minLength = arguments.int("min_length")
    maxMismatches = arguments.int("max_mismatches")
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = batch.segments[segment].text.bytes.start
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let record = records[read]
      let bases = UnsafePointer(text + record.sequence)
      guard let length = length(bases, record.length) else { continue }
      let start = record.length - length
      tag.begin(read)
      try tag.add(
        read, segment: Int32(segment), start: start, length: length, bases + start, length)
    }
    return .go
  }

  private func length(_ bases: UnsafePointer<UInt8>, _ size: Int) -> Int? {
    var length = min(search.count, size)
    return search.withUnsafeBufferPointer { search in
      while length >= minLength {
        let end = bases + (size - length)
        var different = 0
        for index in 0..<length where search[index] != end[index] {
          different &+= 1
          if different > maxMismatches { break }
        }
        if different <= maxMismatches { return length }
        length -= 1
      }
      return nil
    }
  }
}
