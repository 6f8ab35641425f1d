// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Says of each read whether its sequence, its name or its tag is among the sequences or names of another
/// file: exactly, or by a filter that is wrong at a given rate.
final class TagOtherFile: Step {
  static var description: StepDescription {
    StepDescription(
      "TagOtherFile", "tag reads that are in another file",
      keys: [
        StepKey("filename", .text),
        StepKey(
          "source", aliases: ["segment"],
          .source(.parts(names: true, tags: [.location, .string]))),
        StepKey("false_positive_rate", .number(from: 0, below: 1)),
        StepKey("seed", .int(0...Int.max), isRequired: false),
        StepKey(
          "other_readname_end_character", aliases: ["other_read_name_end_char"], .byte(0...255),
          isRequired: false),
        StepKey("include_mapped", .bool, isRequired: false),
        StepKey("include_unmapped", .bool, isRequired: false),
        StepKey("out_label", .newLabel(.bool)),
      ],
      check: { arguments in check(arguments) },
      make: { arguments throws(WorkpoolError) in try TagOtherFile(arguments) })
  }

  private static func check(_ arguments: StepArguments) -> String? {
    if let problem = SeenItems.check(arguments) { return problem }
    let end = arguments.commentCharacter
    if arguments.source("source").part == .name,
      let separator = arguments.surroundings.commentSeparators.first(where: { $0 != end })
    {
      return "source is a name up to read_comment_character " + visibleByte(end)
        + ", but a StoreTagInComment before has comment_separator " + visibleByte(separator)
        + "; both must be the same"
    }
    let name = arguments.text("filename")
    let isAlignment = [".bam", ".sam"].contains { name.utf8.suffix(4).elementsEqual($0.utf8) }
    guard isAlignment else { return nil }
    for key in ["include_mapped", "include_unmapped"] where !arguments.has(key) {
      return key + " is missing: true or false, for filename = \"" + name + "\""
    }
    return !arguments.bool("include_mapped") && !arguments.bool("include_unmapped")
      ? "include_mapped or include_unmapped must be true" : nil
  }

  private let path: String
  private let source: ItemSource
  private let column: Int
  private let rate: Double
  private let seed: UInt64
  private let nameEnd: UInt8?
  private let included: SequenceFile.Included
  private var items: SeenItems?

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    path = arguments.text("filename")
    source = ItemSource(arguments.source("source"), arguments.commentCharacter)
    column = arguments.column("out_label")
    rate = arguments.number("false_positive_rate")
    seed = arguments.has("seed") ? UInt64(arguments.int("seed")) : 0
    nameEnd =
      arguments.has("other_readname_end_character")
      ? arguments.byte("other_readname_end_character") : nil
    func isIncluded(_ key: String) -> Bool { !arguments.has(key) || arguments.bool(key) }
    included = SequenceFile.Included(
      mapped: isIncluded("include_mapped"), unmapped: isIncluded("include_unmapped"))
    try super.init(arguments)
  }

  override var inputs: [String] { [path] }

  override func prepare() throws(WorkpoolError) {
    let items = try SeenItems(rate: rate, seed: seed, capacity: try capacity())
    var item = ItemBytes()
    var count = 0
    let isName = source.source.part == .name
    try SequenceFile.read(path, included) { (name, sequence) throws(WorkpoolError) in
      count += 1
      let value = isName ? name : sequence
      guard let start = value.baseAddress else { return }
      var size = value.count
      if isName, let nameEnd { size = value.firstIndex(of: nameEnd) ?? size }
      item.begin(parts: 1)
      try item.add(start, size)
      try items.add(item)
    }
    guard count > 0 else {
      throw WorkpoolError(.malformedRecord, "no reads are in this file", path: path, place: title)
    }
    self.items = items
  }

  /// Items to expect: what the index of a BAM file says, up to a power of two.
  private func capacity() throws(WorkpoolError) -> Int {
    guard rate > 0, let records = try BAMIndex.records(of: path, included) else { return 1 << 27 }
    var items = 1
    while items < records && items < 1 << 40 { items <<= 1 }
    return items
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    guard let items else { preconditionFailure("a step is prepared before its first batch") }
    var item = ItemBytes()
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let isThere = try source.take(batch, read, &item, separator: []) && items.contains(item)
      batch.columns[column].set(read, isThere)
    }
    return .go
  }
}
