// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Writes tags as a table: a line for each read with its name up to the comment character and its
/// values, separated by tabs. Fields with a tab, a quote or a line end are quoted (RFC 4180).
final class StoreTagsInTable: StreamTexts {
  static var description: StepDescription {
    StepDescription(
      "StoreTagsInTable", "write tags as a table",
      keys: [
        StepKey("infix", .text, default: .text("")), compressionKey,
        StepKey("region_separator", .text, default: .text("_")),
        StepKey("in_labels", .labels([.location, .string, .numeric, .bool]), isRequired: false),
      ],
      check: { arguments in
        arguments.surroundings.tags.isEmpty
          ? "no step before has made a tag" : needsOutput(arguments)
      },
      make: { arguments throws(WorkpoolError) in try StoreTagsInTable(arguments) })
  }

  private let values: [TagText]
  private let usesAll: Bool
  private let commentCharacter: UInt8
  private var hasHead = false

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    usesAll = !arguments.has("in_labels")
    let tags =
      usesAll
      ? arguments.surroundings.tags.sorted {
        $0.label.utf8.lexicographicallyPrecedes($1.label.utf8)
      } : arguments.tags("in_labels")
    let separator = Array(arguments.text("region_separator").utf8)
    values = tags.map { TagText(tag: $0, numbers: .plain, separator: separator) }
    commentCharacter = arguments.commentCharacter
    try super.init(arguments, parts: [arguments.text("infix")], suffix: "tsv")
  }

  override func useTags(_ tags: inout TagTable) { if usesAll { tags.useAll() } }
  override func begin() { hasHead = false }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let texts = texts(batch)
    let names = batch.segments[0]
    var field = GrowableMemory<UInt8>()
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      guard let text = text(texts, batch, read) else { continue }
      let record = names.records.start[read]
      let bytes = names.text.bytes.start
      try append(
        bytes + record.name, record.briefNameLength(bytes, end: commentCharacter), to: text)
      for value in values {
        try text.bytes.append(UInt8(ascii: "\t"))
        field.count = 0
        try value.append(read, of: batch, to: &field)
        try append(field.start, field.count, to: text)
      }
      try text.bytes.append(UInt8(ascii: "\n"))
    }
    return .go
  }

  private func append(
    _ field: UnsafePointer<UInt8>, _ size: Int, to text: OutputText
  ) throws(WorkpoolError) {
    let quote = UInt8(ascii: "\"")
    let needsQuotes = UnsafeBufferPointer(start: field, count: size).contains {
      $0 == 9 || $0 == 10 || $0 == 13 || $0 == quote
    }
    guard needsQuotes else {
      try text.bytes.append(field, size)
      return
    }
    try text.bytes.append(quote)
    for index in 0..<size {
      if field[index] == quote { try text.bytes.append(quote) }
      try text.bytes.append(field[index])
    }
    try text.bytes.append(quote)
  }

  override func merge(_ partial: StepPartial) throws(WorkpoolError) {
    try writeHead()
    try super.merge(partial)
  }

  override func end() throws(WorkpoolError) { try writeHead() }

  private func writeHead() throws(WorkpoolError) {
    if hasHead { return }
    hasHead = true
    let head = joined(["ReadName"] + values.map { $0.tag.label }, "\t") + "\n"
    for writer in writers { try writer.write(head) }
  }
}
