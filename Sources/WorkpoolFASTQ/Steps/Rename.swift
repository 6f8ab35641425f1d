// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Replaces every match of a regular expression in the names of all segments; then
/// `{{READ_INDEX}}` by the number of the read at this step, from 0.
final class Rename: Step {
  static var description: StepDescription {
    StepDescription(
      "Rename", "replace a regular expression in names",
      keys: [
        StepKey("search", aliases: ["pattern", "query"], .text), StepKey("replacement", .text),
      ],
      make: { arguments throws(WorkpoolError) in try Rename(arguments) })
  }

  private static let mark = Array("{{READ_INDEX}}".utf8)

  private let expression: RegularExpression
  private let countsReads: Bool
  private var seen = 0

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    do throws(WorkpoolError) {
      expression = try RegularExpression(
        arguments.text("search"), replacement: arguments.text("replacement"))
    } catch {
      throw WorkpoolError(error.status, "search: " + error.message)
    }
    let replacement = Array(arguments.text("replacement").utf8)
    countsReads = replacement.indices.contains {
      replacement[$0...].starts(with: Self.mark)
    }
    try super.init(arguments)
  }

  override var kind: StepKind { countsReads ? .serial : .parallel }
  override func begin() { seen = 0 }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let matcher = try RegularExpression.Matcher(expression)
    var name = GrowableMemory<UInt8>()
    var number = countsReads ? seen : 0
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      for (index, segment) in batch.segments.enumerated() {
        name.count = 0
        guard try rename(segment, read, matcher, into: &name) else {
          throw error("search takes too long here", batch, read: read, segment: index)
        }
        guard name.count > 0 else {
          throw error("the new name is empty", batch, read: read, segment: index)
        }
        let place = try segment.text.makeRoom(0)
        if countsReads {
          try appendNumbered(name, number, to: segment.text)
        } else {
          try segment.text.bytes.append(name.start, name.count)
        }
        segment.records.start[read].name = place
        segment.records.start[read].nameLength = segment.text.bytes.count - place
      }
      number &+= 1
    }
    if countsReads { seen += batch.keptCount }
    return .go
  }

  /// - Returns: false where a match takes too long.
  private func rename(
    _ segment: FASTQSegment, _ read: Int, _ matcher: RegularExpression.Matcher,
    into name: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) -> Bool {
    let record = segment.records.start[read]
    let bytes = UnsafePointer(segment.text.bytes.start + record.name)
    var from = 0
    var copied = 0
    while from <= record.nameLength {
      guard let found = matcher.find(bytes, record.nameLength, from: from) else { return false }
      if !found { break }
      let range = matcher.range
      // An empty match right behind a match is none of its own.
      let isRepeated = range.isEmpty && range.lowerBound == copied && copied > 0 && from == copied
      if !isRepeated {
        try name.append(bytes + copied, range.lowerBound - copied)
        try matcher.appendReplacement(bytes, to: &name)
        copied = range.upperBound
      }
      from = range.isEmpty ? range.upperBound + 1 : range.upperBound
    }
    if copied < record.nameLength { try name.append(bytes + copied, record.nameLength - copied) }
    return true
  }

  private func appendNumbered(
    _ name: borrowing GrowableMemory<UInt8>, _ number: Int, to text: FASTQText
  ) throws(WorkpoolError) {
    let mark = Self.mark
    var index = 0
    while index < name.count {
      let rest = UnsafeBufferPointer(start: name.start + index, count: name.count - index)
      if rest.starts(with: mark) {
        try text.bytes.append(decimal: number)
        index += mark.count
      } else {
        try text.bytes.append(name.start[index])
        index += 1
      }
    }
  }
}
