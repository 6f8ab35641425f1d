// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Merges the two reads of a fragment where they overlap, as fastp does (Chen et al., Bioinformatics
/// 34:i884, 2018): the first offset whose overlap has few enough mismatches, where a mismatch counts
/// only within the first 50 bases once they are passed. A base of poor quality is replaced by the
/// other read's if that is good. The result is the first segment's; the second one's read is empty then.
final class MergeReads: Step {
  static var description: StepDescription {
    StepDescription(
      "MergeReads", "merge overlapping reads",
      keys: [
        StepKey("segment1", .segment), StepKey("segment2", .segment),
        StepKey("algorithm", .choice([["fastp", "FastpSeemsWeird"]])),
        StepKey("min_overlap", .int(5...Int.max)),
        StepKey("max_mismatch_rate", .number(from: 0, below: 1)),
        StepKey("max_mismatch_count", .int(0...Int.max)),
        StepKey("reverse_complement_segment2", .bool),
        StepKey("no_overlap_strategy", .choice([["as_is"], ["concatenate"]])),
        StepKey("concatenate_spacer", .text, isRequired: false),
        StepKey("spacer_quality_char", .byte(33...126), default: .int(33)),
        StepKey("out_label", .newLabel(.bool), isRequired: false),
      ],
      minSegments: 2,
      check: { arguments in
        if arguments.segment("segment1") == arguments.segment("segment2") {
          return "segment1 and segment2 are the same"
        }
        return arguments.choice("no_overlap_strategy") == 1 && !arguments.has("concatenate_spacer")
          ? "concatenate_spacer is missing: text, for no_overlap_strategy = \"concatenate\"" : nil
      },
      make: { arguments throws(WorkpoolError) in try MergeReads(arguments) })
  }

  private static let comparedAtLeast = 50

  private let one: Int
  private let other: Int
  private let minOverlap: Int
  private let maxRate: Double
  private let maxCount: Int
  private let turnsOther: Bool
  private let spacer: [UInt8]?
  private let spacerQuality: UInt8
  private let column: Int?
  private let complements: GrowableMemory<UInt8>

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    one = arguments.segment("segment1")
    other = arguments.segment("segment2")
    minOverlap = arguments.int("min_overlap")
    maxRate = arguments.number("max_mismatch_rate")
    maxCount = arguments.int("max_mismatch_count")
    turnsOther = arguments.bool("reverse_complement_segment2")
    spacer =
      arguments.choice("no_overlap_strategy") == 1
      ? Array(arguments.text("concatenate_spacer").utf8) : nil
    spacerQuality = arguments.byte("spacer_quality_char")
    column = arguments.has("out_label") ? arguments.column("out_label") : nil
    var table = GrowableMemory<UInt8>()
    try table.resize(256)
    for byte in 0..<256 { table.start[byte] = UInt8(byte) }
    for (base, complement) in zip("ACGTacgt".utf8, "TGCAtgca".utf8) {
      table.start[Int(base)] = complement
    }
    complements = table
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

  /// A read as it is compared.
  private struct Bases {
    let sequence: UnsafePointer<UInt8>
    let quality: UnsafePointer<UInt8>
    let length: Int
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    var turned = GrowableMemory<UInt8>()
    var merged = GrowableMemory<UInt8>()
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let first = bases(batch, one, read)
      let second =
        try turnsOther ? turn(bases(batch, other, read), &turned) : bases(batch, other, read)
      let offset = overlap(first, second)
      if let column { batch.columns[column].set(read, offset != nil) }
      let length: Int
      if let offset {
        length = try merge(first, second, offset, into: &merged)
      } else if let spacer {
        length = try concatenate(first, second, spacer, into: &merged)
      } else {
        continue
      }
      let text = batch.segments[one].text
      let place = try text.makeRoom(2 * length)
      memcpy(text.bytes.start + place, merged.start, 2 * length)
      let records = batch.segments[one].records.start
      records[read].sequence = place
      records[read].quality = place + length
      records[read].length = length
      batch.segments[other].records.start[read].length = 0
    }
    return .go
  }

  private func bases(_ batch: FASTQBatch, _ segment: Int, _ read: Int) -> Bases {
    let record = batch.segments[segment].records.start[read]
    let text = batch.segments[segment].text.bytes.start
    return Bases(
      sequence: text + record.sequence, quality: text + record.quality, length: record.length)
  }

  /// Reversed and complemented.
  private func turn(
    _ read: Bases, _ room: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) -> Bases {
    let length = read.length
    try room.resize(2 * length)
    for index in 0..<length {
      room.start[index] = complements.start[Int(read.sequence[length - 1 - index])]
      room.start[length + index] = read.quality[length - 1 - index]
    }
    return Bases(sequence: room.start, quality: room.start + length, length: length)
  }

  /// Where the second read begins in the first one; negative: before it.
  private func overlap(_ first: Bases, _ second: Bases) -> Int? {
    var offset = 0
    while offset < first.length - minOverlap {
      let size = min(first.length - offset, second.length)
      if isClose(first.sequence + offset, second.sequence, size) { return offset }
      offset += 1
    }
    offset = 0
    while offset > minOverlap - second.length {
      let size = min(first.length, second.length + offset)
      if isClose(first.sequence, second.sequence - offset, size) { return offset }
      offset -= 1
    }
    return nil
  }

  private func isClose(
    _ one: UnsafePointer<UInt8>, _ other: UnsafePointer<UInt8>, _ size: Int
  ) -> Bool {
    let limit = min(maxCount, Int((maxRate * Double(size)).rounded(.down)))
    var mismatches = 0
    var index = 0
    while index < size {
      if one[index] != other[index] {
        mismatches &+= 1
        if mismatches > limit && index < Self.comparedAtLeast { break }
      }
      index &+= 1
    }
    return mismatches <= limit || index > Self.comparedAtLeast
  }

  /// - Returns: the length of what is in `merged`, sequence and quality.
  private func merge(
    _ first: Bases, _ second: Bases, _ offset: Int, into merged: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) -> Int {
    let head = max(offset, 0)
    let skipped = max(-offset, 0)
    let size = min(first.length - head, second.length - skipped)
    let tail = offset > 0 ? second.length - size : 0
    let length = head + size + tail
    try merged.resize(2 * length)
    let sequence = merged.start
    let quality = merged.start + length
    memcpy(sequence, first.sequence, head)
    memcpy(quality, first.quality, head)
    for index in 0..<size {
      let (base, score) = (first.sequence[head + index], first.quality[head + index])
      let (base2, score2) = (second.sequence[skipped + index], second.quality[skipped + index])
      let takesOther = base != base2 && score2 >= 63 && score <= 47
      sequence[head + index] = takesOther ? base2 : base
      quality[head + index] = takesOther ? score2 : score
    }
    memcpy(sequence + head + size, second.sequence + size, tail)
    memcpy(quality + head + size, second.quality + size, tail)
    return length
  }

  private func concatenate(
    _ first: Bases, _ second: Bases, _ spacer: [UInt8], into merged: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) -> Int {
    merged.count = 0
    try merged.append(first.sequence, first.length)
    try merged.append(spacer)
    try merged.append(second.sequence, second.length)
    let length = merged.count
    try merged.append(first.quality, first.length)
    for _ in spacer { try merged.append(spacerQuality) }
    try merged.append(second.quality, second.length)
    return length
  }
}
