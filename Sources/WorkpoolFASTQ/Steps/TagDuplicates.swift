// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Says of each read whether an earlier one of its stream had the same sequence, name or tag: exactly,
/// or, to save memory, by a filter that is wrong at a given rate. A missing tag is never one.
final class TagDuplicates: Step {
  static var description: StepDescription {
    StepDescription(
      "TagDuplicates", "tag reads that were there before", kind: .serial,
      keys: [
        StepKey("source", .source(.parts(all: true, names: true, tags: [.location, .string]))),
        StepKey("false_positive_rate", .number(from: 0, below: 1)),
        StepKey("seed", .int(0...Int.max), isRequired: false),
        StepKey("initial_filter_capacity", .int(1...Int.max >> 20), isRequired: false),
        StepKey("out_label", .newLabel(.bool)),
      ],
      check: { arguments in SeenItems.check(arguments) },
      make: { arguments throws(WorkpoolError) in try TagDuplicates(arguments) })
  }

  private let source: ItemSource
  private let column: Int
  private let rate: Double
  private let seed: UInt64
  private let capacity: Int?
  private let streams: Int
  /// Of the first batch.
  private var facts: InputFacts?
  /// One for each stream, made when its first read comes.
  private var seen: [SeenItems?] = []

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    source = ItemSource(arguments.source("source"), arguments.commentCharacter)
    column = arguments.column("out_label")
    rate = arguments.number("false_positive_rate")
    seed = arguments.has("seed") ? UInt64(arguments.int("seed")) : 0
    capacity =
      arguments.has("initial_filter_capacity") ? arguments.int("initial_filter_capacity") : nil
    streams = arguments.surroundings.streams.count
    try super.init(arguments)
  }

  override var kind: StepKind { .serial }
  override var needsInputFacts: Bool { rate > 0 && capacity == nil }
  override func begin() {
    seen = Array(repeating: nil, count: streams)
    facts = nil
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let facts = facts ?? batch.facts
    self.facts = facts
    var item = ItemBytes()
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      guard try source.take(batch, read, &item, separator: [0xff]) else {
        batch.columns[column].set(read, false)
        continue
      }
      let stream = batch.hasStreams ? Int(batch.streams.start[read]) : 0
      if seen[stream] == nil {
        seen[stream] = try SeenItems(
          rate: rate, seed: seed,
          capacity: facts.capacity(streams: streams, configured: capacity))
      }
      let isSeen = try seen[stream]?.seen(item) ?? false
      batch.columns[column].set(read, isSeen)
    }
    return .go
  }
}

extension SeenItems {
  /// A filter needs a seed.
  static func check(_ arguments: StepArguments) -> String? {
    arguments.number("false_positive_rate") > 0 && !arguments.has("seed")
      ? "seed is missing: an integer, for a false_positive_rate above 0" : nil
  }
}

/// The bytes of a read that make an item.
struct ItemSource {
  let source: StepSource
  let commentCharacter: UInt8

  init(_ source: StepSource, _ commentCharacter: UInt8) {
    self.source = source
    self.commentCharacter = commentCharacter
  }

  /// - Returns: false where there is none.
  ///
  /// - Parameter separator: between the regions of a tag.
  func take(
    _ batch: FASTQBatch, _ read: Int, _ item: inout ItemBytes, separator: [UInt8]
  ) throws(WorkpoolError) -> Bool {
    if case .tag(let tag) = source.part {
      let column = batch.columns[tag.column]
      guard column.present.start[read] != 0 else { return false }
      var text = GrowableMemory<UInt8>()
      try column.appendText(of: read, separator: separator, to: &text)
      item.begin(parts: 1)
      try item.add(text.start, text.count)
      return true
    }
    item.begin(parts: source.segments.count)
    for segment in source.segments {
      let record = batch.segments[segment].records.start[read]
      let bytes = batch.segments[segment].text.bytes.start
      if source.part == .sequence {
        try item.add(bytes + record.sequence, record.length)
      } else {
        let size =
          source.isAll
          ? record.nameLength : record.briefNameLength(bytes, end: commentCharacter)
        try item.add(bytes + record.name, size)
      }
    }
    return true
  }
}
