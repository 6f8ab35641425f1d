// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Exchanges the whole records of two segments.
final class Swap: Step {
  static var description: StepDescription {
    StepDescription(
      "Swap", "exchange the records of two segments",
      keys: [
        StepKey("segment_a", .segment, isRequired: false),
        StepKey("segment_b", .segment, isRequired: false), .condition,
      ],
      check: { arguments in check(arguments) },
      make: { arguments throws(WorkpoolError) in try Swap(arguments) })
  }

  private static func check(_ arguments: StepArguments) -> String? {
    let names = arguments.surroundings.segments
    let known = "; segments are " + joined(names, ", ")
    switch (arguments.has("segment_a"), arguments.has("segment_b")) {
    case (true, true):
      return arguments.segment("segment_a") == arguments.segment("segment_b")
        ? "segment_a and segment_b are the same, \"" + names[arguments.segment("segment_a")] + "\""
        : nil
    case (true, false): return "segment_b is missing" + known
    case (false, true): return "segment_a is missing" + known
    case (false, false):
      return names.count == 2
        ? nil : "segment_a and segment_b can be missing only with two segments" + known
    }
  }

  private let one: Int
  private let other: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    let isNamed = arguments.has("segment_a")
    one = isNamed ? arguments.segment("segment_a") : 0
    other = isNamed ? arguments.segment("segment_b") : 1
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let acting = try acting(batch)
    let records = batch.segments[one].records.start
    let others = batch.segments[other].records.start
    for read in 0..<batch.count where acting[read] != 0 {
      let (first, second) = (records[read], others[read])
      if batch.isInterleaved {  // one text for both
        records[read] = second
        others[read] = first
      } else {
        records[read] = try copy(second, from: other, to: one, batch)
        others[read] = try copy(first, from: one, to: other, batch)
      }
      if !places.isEmpty { places.swap(batch, read, one, other) }
    }
    return .go
  }

  /// The record at its new place, behind the text of the other segment.
  private func copy(
    _ record: FASTQRecord, from source: Int, to target: Int, _ batch: FASTQBatch
  ) throws(WorkpoolError) -> FASTQRecord {
    let text = batch.segments[target].text
    var place = try text.makeRoom(record.nameLength + 2 * record.length)
    let bytes = batch.segments[source].text.bytes.start
    var copy = record
    copy.name = place
    memcpy(text.bytes.start + place, bytes + record.name, record.nameLength)
    place += record.nameLength
    copy.sequence = place
    memcpy(text.bytes.start + place, bytes + record.sequence, record.length)
    place += record.length
    copy.quality = place
    memcpy(text.bytes.start + place, bytes + record.quality, record.length)
    return copy
  }
}
