// SPDX-License-Identifier: MIT
// Text comes in pieces that end anywhere; a splitter makes a block of every line, also of those that
// lie in several pieces.
import Workpool

let text = Array(
  ("one block in,\nany number out\n\nin order,\nand numbered anew\n"
    + "a long line lies in more than two of the pieces that come in\nthe last line has no end").utf8
)
let pieceSize = 16

/// Copies bytes into a block.
func fill<Bytes: Collection>(
  _ block: UnsafeMutablePointer<Block>, with bytes: Bytes
) throws(WorkpoolError) where Bytes.Element == UInt8 {
  guard block.reserve(bytes.count) else { throw WorkpoolError(.noMemory, "no memory for a block") }
  block.pointee.size = bytes.count
  block.bytes.copyBytes(from: bytes)
}

func run() throws(WorkpoolError) {
  let pool = try Pool()
  let pipeline = try Pipeline(on: pool)
  try pipeline.setSource("pieces") { block, _ throws(WorkpoolError) in
    let begin = Int(block.pointee.number) * pieceSize
    if begin >= text.count { return .endOfInput }
    try fill(block, with: text[begin..<min(begin + pieceSize, text.count)])
    return .goOn
  }

  // What the splitter knows from one call to the next: calls come one after the other.
  var position = 0  // in the piece
  var begun: [UInt8] = []  // of a line whose rest comes with the next piece
  let lines = try pipeline.addSplitter("lines") { piece, line, _ throws(WorkpoolError) in
    guard let piece = piece?.pointee else {  // no more pieces
      if begun.isEmpty { return .drop }
      try fill(line, with: begun)
      begun = []
      return .goOn
    }
    let rest = UnsafeBufferPointer(start: piece.data, count: piece.size)[position...]
    let end = rest.firstIndex(of: UInt8(ascii: "\n"))
    begun += rest[..<(end ?? rest.endIndex)]
    guard let end else {
      position = 0
      return .drop  // keep this, emit nothing
    }
    position = end + 1
    try fill(line, with: begun)
    begun = []
    return .more  // there may be another line in it
  }
  try pipeline.addStage("upper", .parallel) { block, _ in
    for index in block.bytes.indices where (97...122).contains(block.bytes[index]) {
      block.bytes[index] -= 32
    }
    return .goOn
  }
  try pipeline.setSink("print") { block, _ in
    let line = String(decoding: block.bytes, as: UTF8.self)
    print("line \(block.pointee.number) ends in piece \(block.pointee.sourceNumber): \(line)")
    return .goOn
  }

  _ = try pipeline.run()
  let counts = try pipeline.statistics(ofStage: lines)
  print("\(counts.blocksIn) pieces, \(counts.blocksOut) lines")
  try pipeline.destroy()
  try pool.close()
}

try run()
