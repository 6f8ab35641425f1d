// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Sum or maximum of the error probabilities 10^(−(q − 33)/10) of the quality bytes q (Edgar &
/// Flyvbjerg, Bioinformatics 31:3476, 2015, eq. 4). Over several segments the sums are summed, in
/// the order of the segments. A read without bases has 0; a byte outside 33–126 is an error.
final class CalcExpectedError: NumberOfRead {
  static var description: StepDescription {
    StepDescription(
      "CalcExpectedError", "expected number of errors, or largest error probability",
      keys: [
        StepKey("aggregate", .choice([["sum"], ["max"]])),
        StepKey("segment", .segmentOrAll, default: .text("all")),
        StepKey("out_label", .newLabel(.numeric)),
      ],
      make: { arguments throws(WorkpoolError) in try CalcExpectedError(arguments) })
  }

  private let takesMaximum: Bool
  /// Infinity for bytes that are no quality.
  private let probabilities: GrowableMemory<Double>

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    takesMaximum = arguments.choice("aggregate") == 1
    var table = GrowableMemory<Double>()
    try table.resize(256)
    for byte in 0..<256 {
      table.start[byte] =
        33...126 ~= byte ? pow(10, -Double(byte - 33) / 10) : Double.infinity
    }
    probabilities = table
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    let keep = batch.keep.start
    for segment in segments {
      let records = batch.segments[segment].records.start
      let text = UnsafePointer(batch.segments[segment].text.bytes.start)
      for read in 0..<batch.count where keep[read] != 0 {
        let value = aggregate(text + records[read].quality, records[read].length)
        values[read] = takesMaximum ? max(values[read], value) : values[read] + value
      }
    }
    for read in 0..<batch.count where values[read] == .infinity {
      throw badQuality(batch, read)
    }
    return .go
  }

  @inline(__always)
  private func aggregate(_ quality: UnsafePointer<UInt8>, _ length: Int) -> Double {
    let table = UnsafePointer(probabilities.start)
    var value = 0.0
    if takesMaximum {
      for index in 0..<length { value = max(value, table[Int(quality[index])]) }
    } else {
      for index in 0..<length { value += table[Int(quality[index])] }
    }
    return value
  }

  private func badQuality(_ batch: FASTQBatch, _ read: Int) -> WorkpoolError {
    for segment in segments {
      let record = batch.segments[segment].records.start[read]
      let quality = batch.segments[segment].text.bytes.start + record.quality
      for index in 0..<record.length where !(33...126 ~= quality[index]) {
        return error(
          "quality " + visibleByte(quality[index]) + " is outside 33 to 126; "
            + "ConvertQuality can bring it there", batch, read: read, segment: segment)
      }
    }
    preconditionFailure("an infinite sum comes from a byte outside the range")
  }
}
