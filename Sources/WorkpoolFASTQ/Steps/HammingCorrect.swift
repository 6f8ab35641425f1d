// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Replaces a tag's text, region by region, with the first barcode of a section within a Hamming
/// distance; ambiguous codes match what they stand for. What is a barcode already stays.
final class HammingCorrect: Step {
  static var description: StepDescription {
    StepDescription(
      "HammingCorrect", "replace a tag with the barcode near it",
      keys: [
        StepKey("in_label", .label([.location, .string])),
        StepKey("barcodes", .barcodes), StepKey("max_hamming_distance", .int(1...255)),
        StepKey("on_no_match", .choice([["remove"], ["empty"], ["keep"]])),
        StepKey("out_label", .newLabel(.location)),
      ],
      make: { arguments throws(WorkpoolError) in try HammingCorrect(arguments) })
  }

  private let source: Int
  private let column: Int
  private let barcodes: BarcodeMatcher
  private let maxDistance: Int
  private let onNoMatch: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    source = arguments.column("in_label")
    column = arguments.column("out_label")
    barcodes = try BarcodeMatcher(arguments.barcodes("barcodes"))
    maxDistance = arguments.int("max_hamming_distance")
    onNoMatch = arguments.choice("on_no_match")
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let from = batch.columns[source]
    let to = batch.columns[column]
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 && from.present.start[read] != 0 {
      to.begin(read, isLocated: from.hits.start[read].isLocated)
      for region in from.regions(of: read) {
        let text = UnsafePointer(from.bytes.start + region.text)
        let place = to.bytes.count
        if barcodes.exact(text, region.textLength) != nil {
          try to.bytes.append(text, region.textLength)
        } else if let nearest = barcodes.nearest(text, region.textLength, within: maxDistance) {
          try to.bytes.append(barcodes.sequences[nearest])
        } else if onNoMatch == 0 {
          continue
        } else if onNoMatch == 2 {
          try to.bytes.append(text, region.textLength)
        }
        var corrected = region
        corrected.text = place
        corrected.textLength = to.bytes.count - place
        try to.add(read, corrected)
      }
      if to.hits.start[read].count == 0 { to.present.start[read] = 0 }
    }
    return .go
  }
}
