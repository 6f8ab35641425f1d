// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Reverses sequence and quality and replaces each IUPAC letter by its complement.
///
/// Complements after Cornish-Bowden, Nucleic Acids Res. 13:3021 (1985): A–T, C–G, R–Y, K–M, B–V,
/// D–H; U becomes A; S, W, N and all other bytes stay. The letter case is kept.
final class ReverseComplement: Step {
  static var description: StepDescription {
    StepDescription(
      "ReverseComplement", "reverse and complement the sequence, reverse the quality",
      keys: [StepKey("segment", .segment), .condition],
      make: { arguments throws(WorkpoolError) in try ReverseComplement(arguments) })
  }

  private let segment: Int
  private let complements: GrowableMemory<UInt8>

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segment = arguments.segments("segment").lowerBound
    var table = GrowableMemory<UInt8>()
    try table.resize(256)
    for byte in 0..<256 { table.start[byte] = UInt8(byte) }
    for pair: StaticString in [
      "AT", "TA", "UA", "CG", "GC", "RY", "YR", "KM", "MK", "BV", "VB", "DH", "HD",
    ] {
      let letter = pair.utf8Start[0]
      let complement = pair.utf8Start[1]
      table.start[Int(letter)] = complement
      table.start[Int(letter | 32)] = complement | 32
    }
    complements = table
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let records = batch.segments[segment].records.start
    let text = batch.segments[segment].text.bytes.start
    let acting = try acting(batch)
    for read in 0..<batch.count where acting[read] != 0 {
      let length = records[read].length
      complement(text + records[read].sequence, length)
      if !places.isEmpty {
        places.mirror(batch, read, segment, length: length) { complement($0, $1) }
      }
      let quality = text + records[read].quality
      var left = 0
      var right = length &- 1
      while left < right {
        let score = quality[left]
        quality[left] = quality[right]
        quality[right] = score
        left &+= 1
        right &-= 1
      }
    }
    return .go
  }

  @inline(__always)
  private func complement(_ sequence: UnsafeMutablePointer<UInt8>, _ length: Int) {
    let table = UnsafePointer(complements.start)
    var left = 0
    var right = length &- 1
    while left < right {
      let base = sequence[left]
      sequence[left] = table[Int(sequence[right])]
      sequence[right] = table[Int(base)]
      left &+= 1
      right &-= 1
    }
    if left == right { sequence[left] = table[Int(sequence[left])] }
  }
}
