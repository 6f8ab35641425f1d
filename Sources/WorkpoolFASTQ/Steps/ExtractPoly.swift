// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds a stretch of one base, or of the base with the longest stretch, with some mismatches.
class ExtractPoly: Step {
  static func keys(minLength: Int) -> [StepKey] {
    [
      StepKey("base", .choice([["A"], ["C"], ["G"], ["T"], ["N"], ["."]])),
      StepKey("min_length", .int(minLength...Int.max)),
      StepKey("max_mismatch_rate", .number(from: 0, below: 1)),
      StepKey("max_consecutive_mismatches", .int(0...Int.max)), StepKey("segment", .segment),
      StepKey("out_label", .newLabel(.location)),
    ]
  }

  private let segment: Int
  private let column: Int
  /// In the order in which the first one of equals counts.
  private let bases: [UInt8]
  let minLength: Int
  let maxRate: Double
  let maxConsecutive: Int

  /// - Parameter any: the bases that `.` stands for.
  init(_ arguments: StepArguments, any: String) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    column = arguments.column("out_label")
    let choice = arguments.choice("base")
    bases = choice == 5 ? Array(any.utf8) : [Array("ACGTN".utf8)[choice]]
    minLength = arguments.int("min_length")
    maxRate = arguments.number("max_mismatch_rate")
    maxConsecutive = arguments.int("max_consecutive_mismatches")
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = batch.segments[segment].text.bytes.start
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let record = records[read]
      let sequence = UnsafePointer(text + record.sequence)
      var best: Range<Int>?
      for base in bases {
        if let found = stretch(of: base, in: sequence, record.length),
          found.count > best?.count ?? 0
        {
          best = found
        }
      }
      guard let best else { continue }
      tag.begin(read)
      try tag.add(
        read, segment: Int32(segment), start: best.lowerBound, length: best.count,
        sequence + best.lowerBound, best.count)
    }
    return .go
  }

  func stretch(of base: UInt8, in sequence: UnsafePointer<UInt8>, _ length: Int) -> Range<Int>? {
    preconditionFailure("each step looks in its own way")
  }
}
