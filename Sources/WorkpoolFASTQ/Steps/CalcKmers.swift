// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Number of windows of k bases that are in a set of k-mers: those of other files that were seen there
/// often enough, in upper case and of A, C, G, T alone.
final class CalcKmers: Step {
  static var description: StepDescription {
    StepDescription(
      "CalcKmers", "number of k-mers that are in other files",
      keys: [
        StepKey("filename", aliases: ["files", "filenames"], .texts),
        StepKey("k", .int(1...65_536)),
        StepKey("count_reverse_complement", aliases: ["canonical"], .bool),
        StepKey("min_count", .int(1...Int.max), default: .int(1)),
        StepKey("segment", .segmentOrAll), StepKey("out_label", .newLabel(.numeric)),
      ],
      check: { arguments in
        arguments.texts("filename").contains("--stdin--")
          ? "filename: \"--stdin--\" is not possible here" : nil
      },
      make: { arguments throws(WorkpoolError) in try CalcKmers(arguments) })
  }

  private let paths: [String]
  private let k: Int
  private let bothStrands: Bool
  private let minCount: Int
  private let segments: Range<Int>
  private let column: Int
  private var table = ByteTable()
  private var counts = GrowableMemory<Int32>()

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    paths = arguments.texts("filename")
    k = arguments.int("k")
    bothStrands = arguments.bool("count_reverse_complement")
    minCount = arguments.int("min_count")
    segments = arguments.segments("segment")
    column = arguments.column("out_label")
    try super.init(arguments)
  }

  override var inputs: [String] { paths }

  override func prepare() throws(WorkpoolError) {
    table.removeAll()
    counts.count = 0
    var upper = GrowableMemory<UInt8>()
    var other = GrowableMemory<UInt8>()
    try other.resize(k)
    for path in paths {
      try SequenceFile.read(path) { (_, sequence) throws(WorkpoolError) in
        try upper.resize(sequence.count)
        for (index, base) in sequence.enumerated() { upper.start[index] = base & 0xdf }
        var valid = 0
        for index in 0..<sequence.count {
          valid = IUPAC.isBase(upper.start[index]) ? valid + 1 : 0
          guard valid >= k else { continue }
          let window = upper.start + index + 1 - k
          try count(window)
          guard bothStrands else { continue }
          for place in 0..<k { other.start[place] = complement(window[k - 1 - place]) }
          try count(other.start)
        }
      }
    }
  }

  private func count(_ window: UnsafePointer<UInt8>) throws(WorkpoolError) {
    let (number, isNew) = try table.add(window, k)
    if isNew {
      try counts.resize(number + 1)
      counts.start[number] = 0
    }
    if counts.start[number] < Int32.max { counts.start[number] += 1 }
  }

  private func complement(_ base: UInt8) -> UInt8 {
    switch base {
    case UInt8(ascii: "A"): UInt8(ascii: "T")
    case UInt8(ascii: "C"): UInt8(ascii: "G")
    case UInt8(ascii: "G"): UInt8(ascii: "C")
    default: UInt8(ascii: "A")
    }
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let values = batch.columns[column].clear(batch.count)
    var upper = GrowableMemory<UInt8>()
    for segment in segments {
      let records = batch.segments[segment].records.start
      let text = batch.segments[segment].text.bytes.start
      for read in 0..<batch.count where batch.keep.start[read] != 0 {
        let record = records[read]
        guard record.length >= k else { continue }
        try upper.resize(record.length)
        for index in 0..<record.length { upper.start[index] = text[record.sequence + index] & 0xdf }
        var found = 0
        for start in 0...(record.length - k) {
          if let number = table.number(of: upper.start + start, k),
            Int(counts.start[number]) >= minCount
          {
            found &+= 1
          }
        }
        values[read] += Double(found)
      }
    }
    return .go
  }
}
