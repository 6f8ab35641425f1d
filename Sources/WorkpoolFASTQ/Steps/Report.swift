// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Sums up the reads that reach it, for the report of the run; behind a Demultiplex for each stream.
///
/// Workers sum up each batch; the sums are added in input order, so that those of doubles do not
/// depend on the workers. Duplicates are looked for there too, by hashes that the workers made.
final class Report: Step {
  static var description: StepDescription {
    StepDescription(
      "Report", "sum up the reads for the run's report",
      keys: [
        StepKey("name", .text), StepKey("count", .bool, default: .bool(true)),
        StepKey("length_distribution", .bool, default: .bool(false)),
        StepKey("base_statistics", .bool, default: .bool(false)),
        StepKey("duplicate_count_per_read", .bool, default: .bool(false)),
        StepKey("duplicate_count_per_fragment", .bool, default: .bool(false)),
        StepKey("count_oligos", .letterLists(.dna), isRequired: false),
        StepKey("count_oligos_segment", .segmentOrAll, default: .text("all")),
        StepKey(
          "tag_histograms", aliases: ["tag_histogram"],
          .labels([.location, .string, .numeric, .bool]), default: .list([])),
        StepKey("debug_reproducibility", .bool, default: .bool(false)),
      ],
      check: { arguments in
        if arguments.text("name").isEmpty { return "name is empty" }
        return arguments.surroundings.naming == nil
          ? "the report needs a file: a configuration with an [output] section" : nil
      },
      make: { arguments throws(WorkpoolError) in try Report(arguments) })
  }

  private let entry: String
  private let parts: ReportParts
  private let streams: [OutputStream]
  private let segmentNames: [String]
  private let tables: BaseTables
  private var sums: [ReportSums] = []
  private var facts: InputFacts?

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    entry = arguments.text("name")
    parts = ReportParts(arguments)
    streams = arguments.surroundings.streams
    segmentNames = arguments.surroundings.segments
    tables = try BaseTables()
    try super.init(arguments)
  }

  override var merging: StepMerging { .seesAll }
  override var reporting: StepReporting { .alone }
  override var reportName: String? { entry }
  override var needsInputFacts: Bool { parts.hasDuplicates }

  override func begin() {
    facts = nil
    sums = streams.map { _ in ReportSums(segments: segmentNames.count, parts) }
  }

  private final class Found: StepPartial {
    let streams: [ReportSums]
    var facts = InputFacts()

    init(_ streams: Int, _ segments: Int, _ parts: ReportParts) {
      self.streams = (0..<streams).map { _ in ReportSums(segments: segments, parts) }
    }
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let found = partial(of: batch, or: Found(streams.count, segmentNames.count, parts))
    for sums in found.streams { sums.clear() }
    found.facts = batch.facts
    var text = GrowableMemory<UInt8>()
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let stream = batch.hasStreams ? Int(batch.streams.start[read]) : 0
      guard streams[stream].isWritten else { continue }
      try found.streams[stream].add(batch, read, parts, tables, &text)
    }
    return .go
  }

  override func merge(_ partial: StepPartial) throws(WorkpoolError) {
    let found = unsafeDowncast(partial, to: Found.self)
    let known = facts ?? found.facts
    facts = known
    for (index, sums) in sums.enumerated() {
      try sums.add(found.streams[index], parts) { known.capacity(streams: streams.count) }
    }
  }

  override func report() throws(WorkpoolError) -> StepReport? {
    var json = JSONText()
    json.beginObject()
    let isDemultiplexed = streams.count > 1
    for (stream, sums) in zip(streams, sums) where stream.isWritten {
      if isDemultiplexed {
        json.key(stream.name ?? "")
        json.beginObject()
      }
      sums.write(to: &json, parts, segmentNames)
      if isDemultiplexed { json.endObject() }
    }
    if parts.hasDuplicates {
      json.key("initial_filter_capacity")
      json.number((facts ?? InputFacts()).capacity(streams: streams.count))
      json.key("actual_filter_capacity")
      json.number(sums.reduce(0) { $0 + $1.filterSize })
    }
    writeParts("count_oligos", !parts.oligos.isEmpty, &json) { sums, json in
      json.beginObject()
      for (oligo, count) in zip(parts.oligos, sums.oligos) {
        json.key(String(decoding: oligo, as: UTF8.self))
        json.number(count)
      }
      json.endObject()
    }
    writeParts("histogram", !parts.histograms.isEmpty, &json) { sums, json in
      sums.writeHistograms(to: &json, parts)
    }
    json.endObject()
    return StepReport(name: entry, json: json.text)
  }

  /// An entry with one value, or behind a Demultiplex one for each stream.
  private func writeParts(
    _ key: String, _ isThere: Bool, _ json: inout JSONText,
    _ write: (ReportSums, inout JSONText) -> Void
  ) {
    guard isThere else { return }
    json.key(key)
    if streams.count == 1 { return write(sums[0], &json) }
    json.beginObject()
    for (stream, sums) in zip(streams, sums) where stream.isWritten {
      json.key(stream.name ?? "")
      write(sums, &json)
    }
    json.endObject()
  }
}
