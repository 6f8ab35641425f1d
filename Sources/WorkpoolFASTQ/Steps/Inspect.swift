// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Writes the first n reads that reach it to a file; behind a Demultiplex with the stream in the name.
final class Inspect: StreamTexts {
  static var description: StepDescription {
    StepDescription(
      "Inspect", "write the first n reads to a file", kind: .serial,
      keys: [
        StepKey("n", .int(0...Int.max)), StepKey("segment", .segmentOrAll),
        StepKey("infix", .text), StepKey("suffix", .text, isRequired: false),
        StepKey(
          "format", .choice([["fastq", "fq"], ["fasta", "fa"], ["bam"]]), default: .text("fastq")),
        compressionKey, levelKey,
      ],
      check: { arguments in needsOutput(arguments) },
      make: { arguments throws(WorkpoolError) in try Inspect(arguments) })
  }

  private let n: Int
  private let segments: Range<Int>
  private let streams: [[UInt8]]
  private var seen = 0

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    n = arguments.int("n")
    segments = arguments.segments("segment")
    streams = arguments.surroundings.streams.map { stream in
      stream.name.map { Array((" Demultiplex=" + $0).utf8) } ?? []
    }
    let names = arguments.surroundings.segments
    let part =
      arguments.asksForAll("segment")
      ? "interleaved" : names[arguments.segments("segment").lowerBound]
    let suffix = arguments.has("suffix") ? arguments.text("suffix") : "fq"
    try super.init(
      arguments, parts: [arguments.text("infix"), part], suffix: suffix,
      isWholeSuffix: arguments.has("suffix"), isPerStream: false)
  }

  override var kind: StepKind { .serial }
  override var merging: StepMerging { .untilStop }
  override func begin() { seen = 0 }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let texts = texts(batch)
    guard seen < n else { return .go }
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      if seen == n { break }
      seen += 1
      let text = texts.texts[0]
      for segment in segments {
        let record = batch.segments[segment].records.start[read]
        let bytes = batch.segments[segment].text.bytes.start
        try text.bytes.append(UInt8(ascii: "@"))
        try text.bytes.append(bytes + record.name, record.nameLength)
        if batch.hasStreams {
          let stream = Int(batch.streams.start[read])
          if stream < streams.count { try text.bytes.append(streams[stream]) }
        }
        try text.bytes.append(UInt8(ascii: "\n"))
        try text.bytes.append(bytes + record.sequence, record.length)
        try text.bytes.append("\n+\n")
        try text.bytes.append(bytes + record.quality, record.length)
        try text.bytes.append(UInt8(ascii: "\n"))
      }
    }
    return .go
  }
}
