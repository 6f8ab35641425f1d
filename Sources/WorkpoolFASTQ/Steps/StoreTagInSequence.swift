// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Puts the copies that a tag has of its regions back into the read, region by region, each at the
/// region's place in the read as it then is. Where a copy has another length, its bases get the mean
/// quality of those that they replace, rounded half up.
final class StoreTagInSequence: Step {
  static var description: StepDescription {
    StepDescription(
      "StoreTagInSequence", "put a tag's sequence into the read",
      keys: [
        StepKey("in_label", .label([.location])),
        StepKey("ignore_missing", .bool, default: .bool(false)),
      ],
      make: { arguments throws(WorkpoolError) in try StoreTagInSequence(arguments) })
  }

  private let tag: TagReference
  private let ignoresMissing: Bool

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    ignoresMissing = arguments.bool("ignore_missing")
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let column = batch.columns[tag.column]
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 && column.present.start[read] != 0 {
      var hasGrown = false
      for region in column.regions(of: read) {
        guard isInside(region, column, read, batch) else {
          if ignoresMissing { continue }
          throw lostPlace(tag, batch, read)
        }
        try put(region, column, read, batch)
        if region.textLength != region.length { hasGrown = region.textLength > region.length }
      }
      if hasGrown { places.lose(batch, read) }
    }
    return .go
  }

  private func isInside(
    _ region: TagRegion, _ column: TagColumn, _ read: Int, _ batch: FASTQBatch
  ) -> Bool {
    guard column.hits.start[read].isLocated, region.segment != TagRegion.nowhere else {
      return false
    }
    let length = batch.segments[Int(region.segment)].records.start[read].length
    return region.start >= 0 && region.length <= length - region.start
  }

  private func put(
    _ region: TagRegion, _ column: TagColumn, _ read: Int, _ batch: FASTQBatch
  ) throws(WorkpoolError) {
    let segment = batch.segments[Int(region.segment)]
    let record = segment.records.start[read]
    let copy = UnsafePointer(column.bytes.start + region.text)
    if region.textLength == region.length {
      memcpy(segment.text.bytes.start + record.sequence + region.start, copy, region.length)
      return
    }
    let length = record.length - region.length + region.textLength
    let place = try segment.text.makeRoom(2 * length)
    let text = segment.text.bytes.start
    let filler = meanQuality(text + record.quality + region.start, region.length)
    let rest = region.start + region.length
    var target = text + place
    for (source, isQuality) in [(record.sequence, false), (record.quality, true)] {
      memcpy(target, text + source, region.start)
      if isQuality {
        memset(target + region.start, Int32(filler), region.textLength)
      } else {
        memcpy(target + region.start, copy, region.textLength)
      }
      memcpy(
        target + region.start + region.textLength, text + source + rest, record.length - rest)
      target += length
    }
    segment.records.start[read].sequence = place
    segment.records.start[read].quality = place + length
    segment.records.start[read].length = length
  }

  private func meanQuality(_ quality: UnsafePointer<UInt8>, _ size: Int) -> UInt8 {
    if size == 0 { return UInt8(ascii: "B") }
    var sum = 0
    for index in 0..<size { sum += Int(quality[index]) }
    return UInt8((2 * sum + size) / (2 * size))
  }
}
