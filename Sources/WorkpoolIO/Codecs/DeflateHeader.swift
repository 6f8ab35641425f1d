// SPDX-License-Identifier: MIT

/// What stands before the data of a block with codes of its own: the lengths of those codes, in runs, by
/// a code of their own (RFC 1951 §3.2.7).
struct DeflateHeader {
  static let mostPieces = 320
  /// In which order the lengths of the code for lengths are given: seldom ones last.
  private static let order: [UInt8] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
  ]
  /// Bits behind the symbols 16, 17 and 18, which stand for runs.
  private static func extraBits(_ symbol: Int) -> Int {
    symbol < 16 ? 0 : symbol == 18 ? 7 : symbol - 14
  }

  /// Symbols, and above their 8 bits what follows them.
  private let pieces: UnsafeMutablePointer<UInt16>
  private var pieceCount = 0
  private let literalCount: Int
  private let distanceCount: Int
  private var lengthCount = 19
  private(set) var bits = 0

  /// - Parameter lengths: is counted and built here.
  init(
    _ literals: borrowing HuffmanCode, _ distances: borrowing HuffmanCode,
    _ lengths: borrowing HuffmanCode, pieces: UnsafeMutablePointer<UInt16>
  ) {
    self.pieces = pieces
    literalCount = max(Self.end(literals), 257)
    distanceCount = max(Self.end(distances), 1)
    lengths.clearCounts()
    let all = literalCount + distanceCount
    var at = 0
    while at < all {
      let length = Self.length(at, literals, distances, literalCount)
      var run = 1
      while at + run < all, Self.length(at + run, literals, distances, literalCount) == length {
        run += 1
      }
      at += run
      addRun(of: length, run, lengths)
    }
    lengths.build()
    while lengthCount > 4 && lengths.codes[Int(Self.order[lengthCount - 1])].bits == 0 {
      lengthCount -= 1
    }
    bits = 3 + 5 + 5 + 4 + 3 * lengthCount + lengths.bits
    for symbol in 16...18 { bits += Int(lengths.counts[symbol]) * Self.extraBits(symbol) }
  }

  private static func end(_ code: borrowing HuffmanCode) -> Int {
    var end = code.symbolCount
    while end > 0 && code.codes[end - 1].bits == 0 { end -= 1 }
    return end
  }

  private static func length(
    _ index: Int, _ literals: borrowing HuffmanCode, _ distances: borrowing HuffmanCode,
    _ literalCount: Int
  ) -> Int {
    index < literalCount ? literals.codes[index].bits : distances.codes[index - literalCount].bits
  }

  private mutating func addRun(of length: Int, _ run: Int, _ lengths: borrowing HuffmanCode) {
    var left = run
    if length == 0 {
      while left >= 3 {
        let part = min(left, 138)
        if part >= 11 { add(18, part - 11, lengths) } else { add(17, part - 3, lengths) }
        left -= part
      }
    } else {
      add(length, 0, lengths)
      left -= 1
      while left >= 3 {
        let part = min(left, 6)
        add(16, part - 3, lengths)
        left -= part
      }
    }
    for _ in 0..<left { add(length, 0, lengths) }
  }

  private mutating func add(_ symbol: Int, _ extra: Int, _ lengths: borrowing HuffmanCode) {
    pieces[pieceCount] = UInt16(symbol | extra << 8)
    pieceCount += 1
    lengths.counts[symbol] += 1
  }

  /// As the only block of a stream.
  func write(to out: inout BitWriter, _ lengths: borrowing HuffmanCode) {
    out.put(1 | 2 << 1, 3)
    out.put(UInt64(literalCount - 257), 5)
    out.put(UInt64(distanceCount - 1), 5)
    out.put(UInt64(lengthCount - 4), 4)
    for index in 0..<lengthCount {
      out.flush()
      out.put(UInt64(lengths.codes[Int(Self.order[index])].bits), 3)
    }
    for index in 0..<pieceCount {
      let symbol = Int(pieces[index] & 0xff)
      out.flush()
      out.put(lengths.codes[symbol])
      out.put(UInt64(pieces[index] >> 8), Self.extraBits(symbol))
    }
    out.flush()
  }
}
