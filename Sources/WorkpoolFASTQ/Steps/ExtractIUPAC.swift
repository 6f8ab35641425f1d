// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds a pattern of IUPAC codes in a read by Hamming distance: at its start, at its end, or where the
/// distance is smallest, the leftmost of equal places. Of several patterns the first one that is
/// found counts.
final class ExtractIUPAC: Step {
  static let anchors = [["left"], ["right"], ["anywhere"]]

  static var description: StepDescription {
    StepDescription(
      "ExtractIUPAC", "find a pattern of IUPAC codes with mismatches",
      keys: [
        StepKey("search", aliases: ["query", "pattern"], .letterLists(.iupac)),
        StepKey("segment", .segment), StepKey("anchor", .choice(anchors)),
        StepKey("max_mismatches", .int(0...255)), StepKey("out_label", .newLabel(.location)),
      ],
      make: { arguments throws(WorkpoolError) in try ExtractIUPAC(arguments) })
  }

  /// Patterns do not fit into an array: each owns its tables.
  private final class Search {
    let pattern: BasePattern
    init(_ pattern: consuming BasePattern) { self.pattern = pattern }
  }

  private let segment: Int
  private let column: Int
  private let anchor: Int
  private let maxMismatches: Int
  private let searches: [Search]

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    column = arguments.column("out_label")
    anchor = arguments.choice("anchor")
    maxMismatches = arguments.int("max_mismatches")
    var searches: [Search] = []
    for pattern in arguments.texts("search") {
      searches.append(Search(try BasePattern(Array(pattern.utf8))))
    }
    self.searches = searches
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = UnsafePointer(batch.segments[segment].text.bytes.start)
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      let record = records[read]
      let bases = text + record.sequence
      for search in searches {
        guard let start = place(of: search.pattern, in: bases, record.length) else { continue }
        tag.begin(read)
        try tag.add(
          read, segment: Int32(segment), start: start, length: search.pattern.count,
          bases + start, search.pattern.count)
        break
      }
    }
    return .go
  }

  private func place(
    of pattern: borrowing BasePattern, in bases: UnsafePointer<UInt8>, _ length: Int
  ) -> Int? {
    let last = length - pattern.count
    guard last >= 0 else { return nil }
    if anchor < 2 {
      let start = anchor == 0 ? 0 : last
      return pattern.distance(to: bases + start, limit: maxMismatches) <= maxMismatches
        ? start : nil
    }
    var best: Int?
    var limit = maxMismatches
    for start in 0...last {
      let distance = pattern.distance(to: bases + start, limit: limit)
      if distance > limit { continue }
      best = start
      if distance == 0 { break }
      limit = distance - 1
    }
    return best
  }
}
