// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Steps that make a number of how often each byte is in the sequences of a read, all segments
/// together.
class CountedBases: NumberOfRead {
  /// For each byte: 0 ignored, 1 other, 2 counted.
  private var classes = GrowableMemory<UInt8>()

  init(_ arguments: StepArguments, counted: [UInt8], ignored: [UInt8]) throws(WorkpoolError) {
    try classes.resize(256)
    for byte in 0..<256 { classes.start[byte] = 1 }
    for letter in counted {
      classes.start[Int(letter | 32)] = 2
      classes.start[Int(letter & 0xdf)] = 2
    }
    for letter in ignored {
      classes.start[Int(letter | 32)] = 0
      classes.start[Int(letter & 0xdf)] = 0
    }
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      var counted = 0
      var considered = 0
      for segment in segments {
        let record = batch.segments[segment].records.start[read]
        count(
          batch.segments[segment].text.bytes.start + record.sequence, record.length, &counted,
          &considered)
      }
      values[read] = value(counted: counted, considered: considered)
    }
    return .go
  }

  @inline(__always)
  private func count(
    _ bases: UnsafePointer<UInt8>, _ length: Int, _ counted: inout Int, _ considered: inout Int
  ) {
    let classes = UnsafePointer(classes.start)
    for index in 0..<length {
      let kind = Int(classes[Int(bases[index])])
      counted &+= kind &>> 1
      considered &+= (kind &+ 1) &>> 1
    }
  }

  func value(counted: Int, considered: Int) -> Double {
    preconditionFailure("each step has its own number")
  }

  static func percent(_ part: Int, of whole: Int) -> Double {
    whole == 0 ? 0 : Double(part) / Double(whole) * 100
  }
}
