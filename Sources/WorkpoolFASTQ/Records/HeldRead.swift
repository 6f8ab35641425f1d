// SPDX-License-Identifier: MIT
import WorkpoolCore

/// A copy of one read of a batch with its tags, for a step that keeps reads beyond their batch.
struct HeldRead {
  private struct Tag {
    var isPresent: Bool
    var number: Double
    var isLocated: Bool
    var regions: [TagRegion]
    var bytes: [UInt8]
  }

  /// Of each segment: name, sequence, quality.
  private var texts: [[UInt8]] = []
  private var nameLengths: [Int] = []
  private var tags: [Tag] = []

  init(_ batch: FASTQBatch, _ read: Int) {
    for segment in batch.segments {
      let record = segment.records.start[read]
      let bytes = segment.text.bytes.start
      var text = [UInt8]()
      text.reserveCapacity(record.nameLength + 2 * record.length)
      text += UnsafeBufferPointer(start: bytes + record.name, count: record.nameLength)
      text += UnsafeBufferPointer(start: bytes + record.sequence, count: record.length)
      text += UnsafeBufferPointer(start: bytes + record.quality, count: record.length)
      texts.append(text)
      nameLengths.append(record.nameLength)
    }
    for column in batch.columns {
      var tag = Tag(isPresent: false, number: 0, isLocated: false, regions: [], bytes: [])
      tag.isPresent = column.present.start[read] != 0
      if tag.isPresent {
        switch column.kind {
        case .numeric, .bool: tag.number = column.values.start[read]
        case .location, .string:
          tag.isLocated = column.hits.start[read].isLocated
          for var region in column.regions(of: read) {
            let start = column.bytes.start + region.text
            region.text = tag.bytes.count
            tag.bytes += UnsafeBufferPointer(start: start, count: region.textLength)
            tag.regions.append(region)
          }
        }
      }
      tags.append(tag)
    }
  }

  /// Adds the text of the read to a batch; its tags follow once all reads are there.
  func append(to batch: FASTQBatch) throws(WorkpoolError) {
    for (index, segment) in batch.segments.enumerated() {
      let place = segment.text.bytes.count
      try segment.text.bytes.append(texts[index])
      let length = (texts[index].count - nameLengths[index]) / 2
      let sequence = place + nameLengths[index]
      try segment.records.resize(segment.records.count + 1)
      segment.records.start[segment.records.count - 1] = FASTQRecord(
        name: place, nameLength: nameLengths[index], sequence: sequence,
        quality: sequence + length, length: length)
    }
  }

  func setTags(of read: Int, in batch: FASTQBatch) throws(WorkpoolError) {
    for (column, tag) in zip(batch.columns, tags) where tag.isPresent {
      column.present.start[read] = 1
      switch column.kind {
      case .numeric, .bool: column.values.start[read] = tag.number
      case .location, .string:
        let place = column.bytes.count
        try column.bytes.append(tag.bytes)
        column.begin(read, isLocated: tag.isLocated)
        for var region in tag.regions {
          region.text += place
          try column.add(read, region)
        }
      }
    }
  }
}
