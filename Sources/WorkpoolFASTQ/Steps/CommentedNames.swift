// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Steps that put `|label=value` into the names of reads: before the first insert character, or at
/// the end.
class CommentedNames: Step {
  static var keys: [StepKey] {
    [
      StepKey("segment", .segmentOrAll, default: .text("all")),
      StepKey("comment_separator", .byte(0...255), default: .text("|")),
      StepKey("comment_insert_char", .byte(0...255), default: .text(" ")),
    ]
  }

  static func check(_ arguments: StepArguments) -> String? {
    let label = arguments.tag("in_label").label
    for key in ["comment_separator", "comment_insert_char"]
    where label.utf8.contains(arguments.byte(key)) {
      return key + " " + visibleByte(arguments.byte(key)) + " is in the label \"" + label
        + "\" of in_label"
    }
    return nil
  }

  private let segments: Range<Int>
  private let label: String
  private let head: [UInt8]
  let separator: UInt8
  let insertCharacter: UInt8

  init(_ arguments: StepArguments, label: String) throws(WorkpoolError) {
    segments = arguments.segments("segment")
    separator = arguments.byte("comment_separator")
    insertCharacter = arguments.byte("comment_insert_char")
    self.label = label
    head = [separator] + Array((label + "=").utf8)
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let keep = batch.keep.start
    var comment = GrowableMemory<UInt8>()
    for read in 0..<batch.count where keep[read] != 0 {
      comment.count = 0
      try comment.append(head)
      try appendValue(read, batch, to: &comment)
      for index in head.count..<comment.count {
        let byte = comment.start[index]
        guard byte != separator && byte != insertCharacter else {
          throw error(
            "the value of the tag \"" + label + "\" contains "
              + (byte == separator ? "comment_separator " : "comment_insert_char ")
              + visibleByte(byte), batch, read: read, segment: segments.lowerBound)
        }
      }
      for segment in segments { try insert(comment, batch.segments[segment], read) }
    }
    return .go
  }

  func appendValue(
    _ read: Int, _ batch: FASTQBatch, to output: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    preconditionFailure("each step has its own value")
  }

  private func insert(
    _ comment: borrowing GrowableMemory<UInt8>, _ segment: FASTQSegment, _ read: Int
  ) throws(WorkpoolError) {
    let record = segment.records.start[read]
    let size = record.nameLength + comment.count
    let place = try segment.text.makeRoom(size)
    let text = segment.text.bytes.start
    let before = record.briefNameLength(text, end: insertCharacter)
    memcpy(text + place, text + record.name, before)
    memcpy(text + place + before, comment.start, comment.count)
    memcpy(
      text + place + before + comment.count, text + record.name + before,
      record.nameLength - before)
    segment.records.start[read].name = place
    segment.records.start[read].nameLength = size
  }
}
