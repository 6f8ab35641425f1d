// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Steps that look at the reads of one segment and make a tag of the region that each one finds.
class FoundRegion: Step {
  /// What there is to look at of one read.
  struct Read {
    let bases: UnsafePointer<UInt8>
    let quality: UnsafePointer<UInt8>
    let length: Int
  }

  private let segment: Int
  private let column: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    column = arguments.column("out_label")
    try super.init(arguments)
  }

  final override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = UnsafePointer(batch.segments[segment].text.bytes.start)
    let keep = batch.keep.start
    for index in 0..<batch.count where keep[index] != 0 {
      let record = records[index]
      let read = Read(
        bases: text + record.sequence, quality: text + record.quality, length: record.length)
      guard let region = region(of: read) else { continue }
      tag.begin(index)
      try tag.add(
        index, segment: Int32(segment), start: region.lowerBound, length: region.count,
        read.bases + region.lowerBound, region.count)
    }
    return .go
  }

  /// nil where there is none.
  func region(of read: Read) -> Range<Int>? {
    preconditionFailure("each step looks in its own way")
  }
}
