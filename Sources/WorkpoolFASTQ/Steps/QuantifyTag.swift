// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Counts the values of a tag and writes them as a JSON object: the most frequent first, equal ones by
/// letters, then by bytes.
final class QuantifyTag: StreamTexts {
  static var description: StepDescription {
    StepDescription(
      "QuantifyTag", "count the values of a tag",
      keys: [
        StepKey("in_label", .label([.location])), StepKey("infix", .text),
        StepKey("region_separator", .text, default: .text("_")),
      ],
      check: { arguments in needsOutput(arguments) },
      make: { arguments throws(WorkpoolError) in try QuantifyTag(arguments) })
  }

  /// Values and how often each was seen, of one stream.
  private final class Counts {
    var table = ByteTable()
    var counts: [Int] = []
  }

  private let tag: TagReference
  private let separator: [UInt8]
  private var streams: [Counts] = []

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    separator = Array(arguments.text("region_separator").utf8)
    try super.init(arguments, parts: [arguments.text("infix")], suffix: "qr.json")
  }

  override func begin() { streams = files.map { _ in Counts() } }

  /// A batch's text is each value's size and its bytes.
  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let texts = texts(batch)
    let column = batch.columns[tag.column]
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      guard column.present.start[read] != 0, let text = text(texts, batch, read) else { continue }
      let place = text.bytes.count
      try text.bytes.resize(place + 8)
      try column.appendText(of: read, separator: separator, to: &text.bytes)
      UnsafeMutableRawPointer(text.bytes.start + place).storeBytes(
        of: text.bytes.count - place - 8, as: Int.self)
    }
    return .go
  }

  override func merge(_ partial: StepPartial) throws(WorkpoolError) {
    for (file, text) in unsafeDowncast(partial, to: Texts.self).texts.enumerated() {
      let counts = streams[file]
      var place = 0
      while place < text.bytes.count {
        let bytes = UnsafePointer(text.bytes.start + place)
        let size = UnsafeRawPointer(bytes).loadUnaligned(as: Int.self)
        let (number, isNew) = try counts.table.add(bytes + 8, size)
        if isNew { counts.counts.append(1) } else { counts.counts[number] += 1 }
        place += 8 + size
      }
    }
  }

  override func end() throws(WorkpoolError) {
    for (counts, writer) in zip(streams, writers) {
      let order = counts.counts.indices.sorted { one, other in
        if counts.counts[one] != counts.counts[other] {
          return counts.counts[one] > counts.counts[other]
        }
        let (a, b) = (counts.table.bytes(one), counts.table.bytes(other))
        let (lowA, lowB) = (a.map(lowered), b.map(lowered))
        return lowA == lowB
          ? a.lexicographicallyPrecedes(b) : lowA.lexicographicallyPrecedes(lowB)
      }
      var json = JSONText()
      json.beginObject()
      for number in order {
        json.key(String(decoding: counts.table.bytes(number), as: UTF8.self))
        json.number(counts.counts[number])
      }
      json.endObject()
      try writer.write(json.text)
    }
  }
}

private func lowered(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 32 : byte }
