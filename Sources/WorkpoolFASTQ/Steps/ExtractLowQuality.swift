// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the run of low qualities at one end of a read.
class ExtractLowQuality: Step {
  static var keys: [StepKey] {
    [
      StepKey("min_qual", .byte(0...255)), StepKey("segment", .segment),
      StepKey("out_label", .newLabel(.location)),
    ]
  }

  private let segment: Int
  private let column: Int
  private let lowest: UInt8
  private let isAtStart: Bool

  init(_ arguments: StepArguments, isAtStart: Bool) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    column = arguments.column("out_label")
    lowest = arguments.byte("min_qual")
    self.isAtStart = isAtStart
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = batch.segments[segment].text.bytes.start
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      let record = records[read]
      let quality = text + record.quality
      var run = 0
      while run < record.length, quality[isAtStart ? run : record.length - 1 - run] < lowest {
        run &+= 1
      }
      guard run > 0 else { continue }
      let start = isAtStart ? 0 : record.length - run
      tag.begin(read)
      try tag.add(
        read, segment: Int32(segment), start: start, length: run,
        text + record.sequence + start, run)
    }
    return .go
  }
}
