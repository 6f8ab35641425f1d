// SPDX-License-Identifier: MIT
import WorkpoolCore

/// The location tags that an edit has to keep up with, and the rules for it: what is cut into is
/// lost, what lies behind moves.
struct TagPlaces {
  /// Columns of the location tags that are alive where the edit stands.
  let columns: [Int]

  var isEmpty: Bool { columns.isEmpty }

  /// n bases went at the start: a region that begins before them is lost.
  func cutStart(_ batch: FASTQBatch, _ read: Int, _ segment: Int, by n: Int) {
    each(batch, read, segment) { region in
      region.start -= n
      return region.start >= 0
    }
  }

  /// The read ends at `length` now: a region that ends behind it is lost.
  func cutEnd(_ batch: FASTQBatch, _ read: Int, _ segment: Int, at length: Int) {
    each(batch, read, segment) { region in region.start + region.length <= length }
  }

  /// n bases came at the start.
  func shift(_ batch: FASTQBatch, _ read: Int, _ segment: Int, by n: Int) {
    each(batch, read, segment) { region in
      region.start += n
      return true
    }
  }

  /// The read of `length` bases was reversed; `change` does the same to the copies. What is lost stays.
  func mirror(
    _ batch: FASTQBatch, _ read: Int, _ segment: Int, length: Int,
    _ change: (UnsafeMutablePointer<UInt8>, Int) -> Void
  ) {
    for column in columns where batch.columns[column].present.start[read] != 0 {
      let tag = batch.columns[column]
      guard tag.hits.start[read].isLocated else { continue }
      for index in tag.regions(of: read).indices {
        let regions = tag.regions(of: read)
        guard regions[index].segment == Int32(segment) else { continue }
        regions[index].start = length - regions[index].start - regions[index].length
        change(tag.bytes.start + regions[index].text, regions[index].textLength)
      }
    }
  }

  /// The reads of two segments changed places.
  func swap(_ batch: FASTQBatch, _ read: Int, _ one: Int, _ other: Int) {
    for column in columns where batch.columns[column].present.start[read] != 0 {
      let regions = batch.columns[column].regions(of: read)
      for index in regions.indices {
        if regions[index].segment == Int32(one) {
          regions[index].segment = Int32(other)
        } else if regions[index].segment == Int32(other) {
          regions[index].segment = Int32(one)
        }
      }
    }
  }

  /// The places of all regions of a read are lost.
  func lose(_ batch: FASTQBatch, _ read: Int) {
    for column in columns where batch.columns[column].present.start[read] != 0 {
      batch.columns[column].hits.start[read].isLocated = false
    }
  }

  /// Shows `body` the regions in one segment that still have a place; false takes it from the
  /// whole value.
  @inline(__always)
  private func each(
    _ batch: FASTQBatch, _ read: Int, _ segment: Int, _ body: (inout TagRegion) -> Bool
  ) {
    for column in columns {
      let tag = batch.columns[column]
      guard tag.present.start[read] != 0, tag.hits.start[read].isLocated else { continue }
      let regions = tag.regions(of: read)
      for index in regions.indices where regions[index].segment == Int32(segment) {
        if !body(&regions[index]) { tag.hits.start[read].isLocated = false }
      }
    }
  }
}

extension Step {
  /// After cuts at the ends of reads: tests the regions of all reads, also of those that the cuts
  /// passed over.
  final func testPlaces(_ batch: FASTQBatch, _ segment: Int) {
    if places.isEmpty { return }
    let records = batch.segments[segment].records.start
    for read in 0..<batch.count {
      places.cutEnd(batch, read, segment, at: records[read].length)
    }
  }
}
