// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Finds a pattern of IUPAC codes by alignment: a match is worth 1, a mismatch or a base too many or
/// too few costs 1 (Needleman & Wunsch, J. Mol. Biol. 48:443, 1970, with free ends of the read where
/// the anchor leaves them open). Limits count mismatching letters and bases inserted or missing.
final class ExtractIUPACWithIndel: Step {
  static var description: StepDescription {
    StepDescription(
      "ExtractIUPACWithIndel", "find a pattern of IUPAC codes with insertions and deletions",
      keys: [
        StepKey("search", aliases: ["query", "pattern"], .letters(.iupac)),
        StepKey("segment", .segment), StepKey("anchor", .choice(ExtractIUPAC.anchors)),
        StepKey("max_mismatches", .int(0...Int.max), default: .int(0)),
        StepKey("max_indel_bases", .int(0...Int.max), default: .int(0)),
        StepKey("max_total_edits", .int(0...Int.max), isRequired: false),
        StepKey("out_label", .newLabel(.location)),
      ],
      make: { arguments throws(WorkpoolError) in try ExtractIUPACWithIndel(arguments) })
  }

  private enum Move {
    static let diagonal: UInt8 = 0
    /// A letter of the pattern that the read lacks.
    static let up: UInt8 = 1
    /// A base of the read that the pattern lacks.
    static let left: UInt8 = 2
  }

  private let segment: Int
  private let column: Int
  private let pattern: [UInt8]
  private let hasFreeStart: Bool
  private let hasFreeEnd: Bool
  private let maxMismatches: Int
  private let maxIndels: Int
  private let maxEdits: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    column = arguments.column("out_label")
    pattern = Array(arguments.text("search").utf8)
    let anchor = arguments.choice("anchor")
    hasFreeStart = anchor != 0
    hasFreeEnd = anchor != 1
    maxMismatches = arguments.int("max_mismatches")
    maxIndels = arguments.int("max_indel_bases")
    maxEdits =
      arguments.has("max_total_edits")
      ? arguments.int("max_total_edits")
      : maxMismatches.addingReportingOverflow(maxIndels).overflow
        ? Int.max : maxMismatches + maxIndels
    try super.init(arguments)
  }

  /// Memory for the alignment of one read after the other.
  private struct Room: ~Copyable {
    var moves = GrowableMemory<UInt8>()
    var above = GrowableMemory<Int32>()
    var current = GrowableMemory<Int32>()
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = batch.segments[segment].text.bytes.start
    var room = Room()
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let record = records[read]
      guard record.length > 0 else { continue }
      let bases = UnsafePointer(text + record.sequence)
      guard let range = try range(bases, record.length, &room) else { continue }
      tag.begin(read)
      try tag.add(
        read, segment: Int32(segment), start: range.lowerBound, length: range.count,
        bases + range.lowerBound, range.count)
    }
    return .go
  }

  private func range(
    _ bases: UnsafePointer<UInt8>, _ length: Int, _ room: inout Room
  ) throws(WorkpoolError) -> Range<Int>? {
    let width = length + 1
    try room.moves.resize(width * (pattern.count + 1))
    try room.above.resize(width)
    try room.current.resize(width)
    fill(bases, length, &room)
    // The last row is in `above`.
    var end = length
    if hasFreeEnd {
      var best = room.above.start[length]
      for index in 0..<length where room.above.start[index] > best {
        best = room.above.start[index]
        end = index
      }
    }
    return trace(bases, from: end, width, room.moves)
  }

  private func fill(_ bases: UnsafePointer<UInt8>, _ length: Int, _ room: inout Room) {
    let width = length + 1
    for index in 0...length {
      room.above.start[index] = hasFreeStart ? 0 : Int32(truncatingIfNeeded: -index)
      room.moves.start[index] = Move.left
    }
    for (row, letter) in pattern.enumerated() {
      let above = room.above.start
      let current = room.current.start
      let moves = room.moves.start + (row + 1) * width
      let codes = IUPAC.bases(of: letter)
      current[0] = Int32(truncatingIfNeeded: -(row + 1))
      moves[0] = Move.up
      for index in 1...length {
        let byte = bases[index - 1]
        let isMatch =
          codes == 15 || byte & 0xdf == letter & 0xdf
          || IUPAC.isBase(byte & 0xdf) && IUPAC.bases(of: byte) & codes != 0
        var best = above[index - 1] + (isMatch ? 1 : -1)
        var move = Move.diagonal
        if above[index] - 1 > best { (best, move) = (above[index] - 1, Move.up) }
        if current[index - 1] - 1 > best { (best, move) = (current[index - 1] - 1, Move.left) }
        current[index] = best
        moves[index] = move
      }
      swap(&room.above, &room.current)
    }
  }

  /// Back by the moves made; nil where a limit is passed.
  private func trace(
    _ bases: UnsafePointer<UInt8>, from end: Int, _ width: Int,
    _ moves: borrowing GrowableMemory<UInt8>
  ) -> Range<Int>? {
    var (row, index) = (pattern.count, end)
    var (mismatches, indels) = (0, 0)
    while row > 0 || index > 0 && !hasFreeStart {
      switch moves.start[row * width + index] {
      case Move.diagonal:
        row -= 1
        index -= 1
        if pattern[row] & 0xdf != bases[index] & 0xdf { mismatches += 1 }
      case Move.up:
        row -= 1
        indels += 1
      default:
        index -= 1
        indels += 1
      }
    }
    guard mismatches <= maxMismatches, indels <= maxIndels, mismatches + indels <= maxEdits
    else { return nil }
    return index..<end
  }
}
