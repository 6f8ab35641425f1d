// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds a pattern of IUPAC codes in a read by Hamming distance: at its start, at its end, or where the
/// distance is smallest, the leftmost of equal places. Of several patterns the first one that is
/// found counts.
final class ExtractIUPAC: FoundRegion {
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

  private let anchor: Int
  private let maxMismatches: Int
  private let searches: [Search]

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    anchor = arguments.choice("anchor")
    maxMismatches = arguments.int("max_mismatches")
    var searches: [Search] = []
    for pattern in arguments.texts("search") {
      searches.append(Search(try BasePattern(Array(pattern.utf8))))
    }
    self.searches = searches
    try super.init(arguments)
  }

  override func region(of read: Read) -> Range<Int>? {
    for search in searches {
      if let start = place(of: search.pattern, in: read.bases, read.length) {
        return start..<start + search.pattern.count
      }
    }
    return nil
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
