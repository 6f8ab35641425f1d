// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Writes the values of a tag as text.
struct TagText {
  enum Numbers {
    /// As comments of reads have them.
    case brief
    /// As tables have them.
    case plain
  }

  let tag: TagReference
  let numbers: Numbers
  /// Between regions.
  let separator: [UInt8]

  /// Puts the value behind `output`; nothing where it is missing.
  func append(
    _ read: Int, of batch: FASTQBatch, to output: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    let column = batch.columns[tag.column]
    guard column.present.start[read] != 0 else { return }
    switch tag.kind {
    case .location, .string:
      try column.appendText(of: read, separator: separator, to: &output)
    case .bool:
      try output.append(column.values.start[read] != 0 ? UInt8(ascii: "1") : UInt8(ascii: "0"))
    case .numeric:
      try output.append(column.values.start[read], numbers)
    }
  }
}

extension GrowableMemory where Element == UInt8 {
  mutating func append(_ number: Double, _ form: TagText.Numbers) throws(WorkpoolError) {
    let end = count
    try reserve(end + Int(WPL_PLAIN_TEXT_SIZE))
    let room = UnsafeMutableRawPointer(start + end).assumingMemoryBound(to: CChar.self)
    count =
      end + (form == .brief ? wpl_format_brief(number, room) : wpl_format_plain(number, room))
  }
}
