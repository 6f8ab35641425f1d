// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Deals reads out to streams, each with its own files: by a boolean tag, or by the barcode that a tag's
/// text is or fits. Reads without one are in the stream `no-barcode`, or nowhere.
final class Demultiplex: Step {
  static var description: StepDescription {
    StepDescription(
      "Demultiplex", "deal reads out to files by a tag",
      keys: [
        StepKey("in_label", .label([.location, .string, .bool])),
        StepKey("barcodes", .barcodes, isRequired: false),
        StepKey("output_unmatched", .bool, isRequired: false),
      ],
      check: { arguments in check(arguments) },
      make: { arguments throws(WorkpoolError) in try Demultiplex(arguments) })
  }

  private static func check(_ arguments: StepArguments) -> String? {
    let tag = arguments.tag("in_label")
    let isBool = tag.kind == .bool
    if isBool == arguments.has("barcodes") {
      return "in_label = \"" + tag.label + "\" is a " + tag.kind.text + " tag: barcodes "
        + (isBool ? "are for tags with a text" : "is missing")
    }
    let own = isBool ? 3 : arguments.barcodes("barcodes").streams.count + 1
    let streams = arguments.surroundings.streams.count
    if streams * own > mostStreams {
      return "there would be " + String(streams * own) + " output streams, more than "
        + String(mostStreams)
    }
    return isBool || arguments.has("output_unmatched")
      ? nil : "output_unmatched is missing: true or false"
  }

  private static let mostStreams = 65_536

  private final class Found: StepPartial {
    var reads = 0
    var matches = 0
  }

  private let tag: TagReference
  private let streams: [OutputStream]
  private let barcodes: BarcodeMatcher?
  /// The stream of each barcode.
  private let streamOfBarcode: [UInt32]
  private var reads = 0
  private var matches = 0

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    tag = arguments.tag("in_label")
    let isWritten = arguments.has("output_unmatched") && arguments.bool("output_unmatched")
    var streams = [OutputStream(name: BarcodeSection.unmatched, isWritten: isWritten)]
    if arguments.has("barcodes") {
      let section = arguments.barcodes("barcodes")
      let names = section.streams
      streams += names.map { OutputStream(name: $0) }
      streamOfBarcode = section.barcodes.map { barcode in
        UInt32((names.firstIndex(of: barcode.stream) ?? 0) + 1)
      }
      barcodes = try BarcodeMatcher(section)
    } else {
      streams += ["false", "true"].map {
        OutputStream(name: arguments.tag("in_label").label + "=" + $0)
      }
      streamOfBarcode = []
      barcodes = nil
    }
    self.streams = streams
    try super.init(arguments)
  }

  override func streamsAfter(_ streams: [OutputStream]) -> [OutputStream] {
    OutputStream.product(streams, self.streams)
  }

  override var merging: StepMerging { .untilStop }
  override func begin() { (reads, matches) = (0, 0) }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let found = partial(of: batch, or: Found())
    found.reads = batch.keptCount
    found.matches = 0
    let keep = batch.keep.start
    var text = GrowableMemory<UInt8>()
    for read in 0..<batch.count where keep[read] != 0 {
      let stream = try stream(batch.columns[tag.column], read, &text)
      if stream > 0 { found.matches += 1 }
      batch.streams.start[read] = batch.streams.start[read] * UInt32(streams.count) + stream
    }
    return .go
  }

  private func stream(
    _ column: TagColumn, _ read: Int, _ text: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) -> UInt32 {
    guard column.present.start[read] != 0 else { return 0 }
    guard let barcodes else { return column.values.start[read] != 0 ? 2 : 1 }
    text.count = 0
    try column.appendText(of: read, separator: [UInt8(ascii: "_")], to: &text)
    guard
      let barcode = barcodes.exact(text.start, text.count)
        ?? barcodes.fitting(text.start, text.count)
    else { return 0 }
    return streamOfBarcode[barcode]
  }

  override func merge(_ partial: StepPartial) {
    let found = unsafeDowncast(partial, to: Found.self)
    reads += found.reads
    matches += found.matches
  }

  override func end() throws(WorkpoolError) {
    guard reads > 0 && matches == 0 else { return }
    throw WorkpoolError(
      .malformedRecord,
      "none of " + String(reads) + " reads has one of the barcodes in its tag \"" + tag.label
        + "\"", place: title)
  }
}
