// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Writes the sequences of a tag as records of their own, named after the read of the first region,
/// with tags in the name as StoreTagInComment puts them there. Every quality is `~`.
final class StoreTagInFastQ: StreamTexts {
  static var description: StepDescription {
    StepDescription(
      "StoreTagInFastQ", "write the sequences of a tag as records",
      keys: [
        StepKey("in_label", .label([.location])),
        StepKey("format", .choice([["fastq", "fq"], ["fasta", "fa"]]), default: .text("fastq")),
        compressionKey, levelKey,
        StepKey(
          "comment_tags", .labels([.location, .string, .numeric, .bool]), default: .list([])),
        StepKey("comment_location_tags", .labels([.location]), isRequired: false),
        StepKey("comment_separator", .byte(0...255), default: .text("|")),
        StepKey("comment_insert_char", .byte(0...255), default: .text(" ")),
        StepKey("region_separator", .text, default: .text("_")),
      ],
      check: { arguments in needsOutput(arguments) },
      make: { arguments throws(WorkpoolError) in try StoreTagInFastQ(arguments) })
  }

  private let tag: TagReference
  private let isFASTA: Bool
  private let comments: [TagText]
  private let placeComments: [TagReference]
  private let names: [[UInt8]]
  private let separator: UInt8
  private let insertCharacter: UInt8
  private let regionSeparator: [UInt8]

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    isFASTA = arguments.choice("format") == 1
    let between = Array(arguments.text("region_separator").utf8)
    regionSeparator = between
    comments = arguments.tags("comment_tags").map {
      TagText(tag: $0, numbers: .brief, separator: between)
    }
    placeComments =
      arguments.has("comment_location_tags")
      ? arguments.tags("comment_location_tags") : [arguments.tag("in_label")]
    names = arguments.surroundings.segments.map { Array($0.utf8) }
    separator = arguments.byte("comment_separator")
    insertCharacter = arguments.byte("comment_insert_char")
    try super.init(
      arguments, parts: ["tag." + arguments.tag("in_label").label],
      suffix: arguments.choice("format") == 1 ? "fasta" : "fq")
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let texts = texts(batch)
    let column = batch.columns[tag.column]
    var comment = GrowableMemory<UInt8>()
    var sequence = GrowableMemory<UInt8>()
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      guard column.present.start[read] != 0, let text = text(texts, batch, read),
        let first = column.regions(of: read).first
      else { continue }
      sequence.count = 0
      try column.appendText(
        of: read, separator: regionSeparator, to: &sequence, skipsEmptyStart: true)
      if sequence.count == 0 { continue }
      comment.count = 0
      try appendComments(batch, read, to: &comment)
      let segment = batch.segments[max(0, Int(first.segment))]
      let record = segment.records.start[read]
      let name = segment.text.bytes.start + record.name
      let before = record.briefNameLength(segment.text.bytes.start, end: insertCharacter)
      try text.bytes.append(isFASTA ? UInt8(ascii: ">") : UInt8(ascii: "@"))
      try text.bytes.append(name, before)
      try text.bytes.append(comment.start, comment.count)
      try text.bytes.append(name + before, record.nameLength - before)
      try text.bytes.append(UInt8(ascii: "\n"))
      try text.bytes.append(sequence.start, sequence.count)
      try text.bytes.append(UInt8(ascii: "\n"))
      if isFASTA { continue }
      try text.bytes.append("+\n")
      let place = text.bytes.count
      try text.bytes.resize(place + sequence.count)
      memset(text.bytes.start + place, Int32(UInt8(ascii: "~")), sequence.count)
      try text.bytes.append(UInt8(ascii: "\n"))
    }
    return .go
  }

  private func appendComments(
    _ batch: FASTQBatch, _ read: Int, to comment: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    for value in comments {
      try appendHead(value.tag.label, to: &comment)
      let start = comment.count
      try value.append(read, of: batch, to: &comment)
      try check(comment, from: start, value.tag, batch, read)
    }
    for place in placeComments {
      let column = batch.columns[place.column]
      guard column.present.start[read] != 0, column.hits.start[read].isLocated else { continue }
      try appendHead(place.label + "_location", to: &comment)
      let start = comment.count
      try TagPlaceText.append(read, column, names, to: &comment)
      try check(comment, from: start, place, batch, read)
    }
  }

  private func appendHead(
    _ label: String, to comment: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    try comment.append(separator)
    for byte in label.utf8 { try comment.append(byte) }
    try comment.append(UInt8(ascii: "="))
  }

  private func check(
    _ comment: borrowing GrowableMemory<UInt8>, from start: Int, _ tag: TagReference,
    _ batch: FASTQBatch, _ read: Int
  ) throws(WorkpoolError) {
    for index in start..<comment.count {
      let byte = comment.start[index]
      if byte == separator || byte == insertCharacter {
        throw error(
          "the value of the tag \"" + tag.label + "\" contains "
            + (byte == separator ? "comment_separator " : "comment_insert_char ")
            + visibleByte(byte), batch, read: read)
      }
    }
  }
}
