// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Writes the qualities of all segments in another encoding; a byte outside the range of the first
/// one is an error.
final class ConvertQuality: Step {
  static var description: StepDescription {
    StepDescription(
      "ConvertQuality", "write qualities in another encoding",
      keys: [
        StepKey("from", .choice(QualityEncoding.names)),
        StepKey("to", .choice(QualityEncoding.names)),
      ],
      check: { arguments in
        arguments.choice("from") == arguments.choice("to")
          ? "from and to are the same" : nil
      },
      make: { arguments throws(WorkpoolError) in try ConvertQuality(arguments) })
  }

  private let from: QualityEncoding
  private let valid: ByteSet
  private let table: GrowableMemory<UInt8>

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    from = QualityEncoding(arguments.choice("from"))
    let to = QualityEncoding(arguments.choice("to"))
    valid = try ByteSet(from.range)
    var table = GrowableMemory<UInt8>()
    try table.resize(256)
    for byte in 0..<256 { table.start[byte] = from.converted(UInt8(byte), to: to) }
    self.table = table
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    if let found = valid.firstOther(in: batch, 0..<batch.segments.count, .quality) {
      throw error(
        "quality " + visibleByte(found.byte) + " is outside " + from.rangeText + " of "
          + from.name, batch, read: found.read, segment: found.segment)
    }
    let keep = batch.keep.start
    let table = UnsafePointer(table.start)
    for segment in batch.segments {
      let records = segment.records.start
      for read in 0..<batch.count where keep[read] != 0 {
        let quality = segment.text.bytes.start + records[read].quality
        for index in 0..<records[read].length { quality[index] = table[Int(quality[index])] }
      }
    }
    return .go
  }
}
