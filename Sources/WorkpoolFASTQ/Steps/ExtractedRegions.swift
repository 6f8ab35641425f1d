// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Steps that take regions at fixed places of sequences, names or other tags. A region begins before
/// the end of its source and fits into it, or else the tag is missing. From a location it starts at
/// the first region and may reach into the rest of the read.
class ExtractedRegions: Step {
  private let regions: [RegionRequest]
  private let column: Int
  private let makesLocations: Bool

  /// The kind of tag that such regions make.
  static func kind(_ regions: [RegionRequest]) -> TagKind {
    regions.allSatisfy { region in
      switch region.source.part {
      case .sequence: true
      case .name: false
      case .tag(let tag): tag.kind == .location
      }
    } ? .location : .string
  }

  init(_ arguments: StepArguments, _ regions: [RegionRequest]) throws(WorkpoolError) {
    self.regions = regions
    column = arguments.column("out_label")
    makesLocations = Self.kind(regions) == .location
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      let bytes = tag.bytes.count
      let count = tag.regions.count
      tag.begin(read, isLocated: makesLocations)
      var isThere = true
      for region in regions where isThere { isThere = try take(region, read, batch, tag) }
      if !isThere {
        tag.present.start[read] = 0
        tag.bytes.count = bytes
        tag.regions.count = count
      } else if !makesLocations {
        // One text, without separators.
        let size = tag.bytes.count - bytes
        tag.regions.count = count
        tag.begin(read, isLocated: false)
        try tag.add(
          read,
          TagRegion(
            segment: TagRegion.nowhere, start: 0, length: size, text: bytes, textLength: size))
      }
    }
    return .go
  }

  private func take(
    _ region: RegionRequest, _ read: Int, _ batch: FASTQBatch, _ tag: TagColumn
  ) throws(WorkpoolError) -> Bool {
    switch region.source.part {
    case .sequence:
      let segment = region.source.segments.lowerBound
      let record = batch.segments[segment].records.start[read]
      return try take(
        region, from: 0, size: record.length, of: segment, record, read, batch, tag)
    case .name:
      let segment = region.source.segments.lowerBound
      let record = batch.segments[segment].records.start[read]
      let name = batch.segments[segment].text.bytes.start + record.name
      return try take(region, fromText: name, record.nameLength, read, tag)
    case .tag(let source):
      let column = batch.columns[source.column]
      guard column.present.start[read] != 0, let first = column.regions(of: read).first else {
        return false
      }
      if source.kind == .string || first.segment == TagRegion.nowhere {
        let text = UnsafePointer(column.bytes.start + first.text)
        return try take(region, fromText: text, first.textLength, read, tag)
      }
      let segment = Int(first.segment)
      let record = batch.segments[segment].records.start[read]
      guard column.hits.start[read].isLocated, first.start + first.length <= record.length else {
        throw error(
          "the tag \"" + source.label + "\" has lost its place in the read", batch, read: read,
          segment: segment)
      }
      return try take(
        region, from: first.start, size: first.length, of: segment, record, read, batch, tag)
    }
  }

  private func take(
    _ region: RegionRequest, from base: Int, size: Int, of segment: Int, _ record: FASTQRecord,
    _ read: Int, _ batch: FASTQBatch, _ tag: TagColumn
  ) throws(WorkpoolError) -> Bool {
    let (anchor, overflow) = (base + (region.isFromEnd ? size : 0)).addingReportingOverflow(
      region.start)
    guard !overflow, anchor >= 0, anchor < record.length,
      region.length <= record.length - anchor
    else { return false }
    let bases = batch.segments[segment].text.bytes.start + record.sequence + anchor
    try tag.add(
      read, segment: Int32(segment), start: anchor, length: region.length, bases, region.length)
    return true
  }

  private func take(
    _ region: RegionRequest, fromText text: UnsafePointer<UInt8>, _ size: Int, _ read: Int,
    _ tag: TagColumn
  ) throws(WorkpoolError) -> Bool {
    let (anchor, overflow) = (region.isFromEnd ? size : 0).addingReportingOverflow(region.start)
    guard !overflow, anchor >= 0, anchor < size, region.length <= size - anchor else {
      return false
    }
    try tag.add(
      read, segment: TagRegion.nowhere, start: anchor, length: region.length, text + anchor,
      region.length)
    return true
  }
}
