// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// What a deflate stream is made of, in 32 bits: so many literals, or a repeat.
enum DeflateItem {
  enum Literals {
    case any
    /// Mostly bases: taken four at a time.
    case bases
  }

  static let isMatch: UInt32 = 1 << 31
  static let isBases: UInt32 = 1 << 30
  static let countMask: UInt32 = (1 << 30) - 1

  @inline(__always)
  static func literals(_ count: Int, _ kind: Literals) -> UInt32 {
    UInt32(count) | (kind == .bases ? isBases : 0)
  }

  /// Length less 3 above distance less 1.
  @inline(__always)
  static func match(length: Int, distance: Int) -> UInt32 {
    isMatch | UInt32(length - 3) << 16 | UInt32(distance - 1)
  }
}

/// How a length or a distance is written: a symbol, and bits behind its code (RFC 1951 §3.2.5).
struct DeflateSymbol {
  var symbol: Int
  var extraBits: Int
  var extra: UInt64

  /// - Parameter length: less 3.
  @inline(__always)
  init(length: Int) {
    if length < 8 || length == 255 {
      (symbol, extraBits, extra) = (257 + (length == 255 ? 28 : length), 0, 0)
    } else {
      extraBits = Int.bitWidth - length.leadingZeroBitCount - 3
      symbol = 257 + 4 * extraBits + length >> extraBits
      extra = UInt64(length & (1 << extraBits - 1))
    }
  }

  /// - Parameter distance: less 1.
  @inline(__always)
  init(distance: Int) {
    if distance < 4 {
      (symbol, extraBits, extra) = (distance, 0, 0)
    } else {
      extraBits = Int.bitWidth - distance.leadingZeroBitCount - 2
      symbol = 2 * extraBits + distance >> extraBits
      extra = UInt64(distance & (1 << extraBits - 1))
    }
  }
}

/// Counts what a slice is made of and writes it as one deflate block with codes of its own.
struct DeflateCode: ~Copyable {
  private static let literalCount = 286
  private static let distanceCount = 30
  private static let endOfBlock = 256

  private let memory: UnsafeMutableRawPointer
  private let wordCounts: UnsafeMutablePointer<UInt32>
  private let literals: HuffmanCode
  private let distances: HuffmanCode
  private let lengths: HuffmanCode
  /// The codes of the four bases of a word in a row; how many bits they have, in the top byte.
  private let words: UnsafeMutablePointer<UInt64>
  /// The four bases themselves.
  private let basesOfWord: UnsafeMutablePointer<UInt32>
  private let extraBits: UnsafeMutablePointer<Int>
  private let pieces: UnsafeMutablePointer<UInt16>

  init() throws(WorkpoolError) {
    let literals = try HuffmanCode(symbols: Self.literalCount, longest: 15)
    let distances = try HuffmanCode(symbols: Self.distanceCount, longest: 15)
    let lengths = try HuffmanCode(symbols: 19, longest: 7)
    guard
      let memory = wpl_allocate_zeroed(
        256 * (4 + 8 + 4) + 8 + DeflateHeader.mostPieces * 2)
    else { throw noMemory }
    self.memory = memory
    words = memory.bindMemory(to: UInt64.self, capacity: 256)
    wordCounts = (memory + 256 * 8).bindMemory(to: UInt32.self, capacity: 256)
    basesOfWord = wordCounts + 256
    extraBits = (memory + 256 * 16).bindMemory(to: Int.self, capacity: 1)
    pieces = (memory + 256 * 16 + 8).bindMemory(
      to: UInt16.self, capacity: DeflateHeader.mostPieces)
    self.literals = literals
    self.distances = distances
    self.lengths = lengths
    for first in Self.bases {
      for second in Self.bases {
        for third in Self.bases {
          for fourth in Self.bases {
            let four = first | second << 8 | third << 16 | fourth << 24
            basesOfWord[Int(DeflateText.word(four))] = four
          }
        }
      }
    }
  }

  deinit { wpl_free(memory) }

  private static var bases: [UInt32] { [0x41, 0x43, 0x47, 0x54] }

  // MARK: Counting

  func begin() {
    memset(wordCounts, 0, 256 * 4)
    literals.clearCounts()
    distances.clearCounts()
    extraBits.pointee = 0
  }

  @inline(__always)
  func count(length: Int, distance: Int) {
    let (length, distance) = (
      DeflateSymbol(length: length - 3), DeflateSymbol(distance: distance - 1)
    )
    literals.counts[length.symbol] &+= 1
    distances.counts[distance.symbol] &+= 1
    extraBits.pointee &+= length.extraBits &+ distance.extraBits
  }

  @inline(__always)
  func count(_ text: DeflateText, _ first: Int, _ end: Int) {
    for at in first..<end { literals.counts[Int(text[at])] &+= 1 }
  }

  @inline(__always)
  func count(bases text: DeflateText, _ first: Int, _ end: Int) {
    var at = first
    while at + 4 <= end {
      let four = text.four(at)
      let word = Int(DeflateText.word(four))
      if basesOfWord[word] == four {
        wordCounts[word] &+= 1
      } else {
        count(text, at, at + 4)
      }
      at += 4
    }
    count(text, at, end)
  }

  // MARK: Writing

  /// - Returns: the size, or nil if it does not fit.
  func write(
    _ items: UnsafeMutablePointer<UInt32>, _ itemCount: Int, of text: DeflateText,
    into packed: UnsafeMutableRawBufferPointer
  ) -> Int? {
    for word in 0..<256 where wordCounts[word] > 0 {
      for base in 0..<4 {
        literals.counts[Int(basesOfWord[word] >> UInt32(8 * base) & 0xff)] &+= wordCounts[word]
      }
    }
    literals.counts[Self.endOfBlock] = 1
    literals.build()
    // Some programs take no block with less than two codes for distances.
    for symbol in 0..<2 where distances.usedCount < 2 && distances.counts[symbol] == 0 {
      distances.counts[symbol] = 1
    }
    distances.build()
    let header = DeflateHeader(literals, distances, lengths, pieces: pieces)
    let bits = header.bits + literals.bits + distances.bits + extraBits.pointee
    // Bits are stored eight bytes at a time.
    guard let start = packed.baseAddress, bits / 8 + 1 + 8 <= packed.count else { return nil }
    var out = BitWriter(start)
    header.write(to: &out, lengths)
    write(items, itemCount, of: text, to: &out)
    out.put(literals.codes[Self.endOfBlock])
    return out.finish()
  }

  private func write(
    _ items: UnsafeMutablePointer<UInt32>, _ itemCount: Int, of text: DeflateText,
    to out: inout BitWriter
  ) {
    let longest = prepareWords()
    var at = 0
    for index in 0..<itemCount {
      let item = items[index]
      if item & DeflateItem.isMatch != 0 {
        let length = DeflateSymbol(length: Int(item >> 16 & 0xff))
        out.put(literals.codes[length.symbol])
        out.put(length.extra, length.extraBits)
        let distance = DeflateSymbol(distance: Int(item & 0x7fff))
        out.put(distances.codes[distance.symbol])
        out.put(distance.extra, distance.extraBits)
        out.flush()
        at += Int(item >> 16 & 0xff) + 3
        continue
      }
      let end = at + Int(item & DeflateItem.countMask)
      if item & DeflateItem.isBases != 0 && longest * 4 <= 48 {
        while at + 4 <= end {
          let four = text.four(at)
          let word = Int(DeflateText.word(four))
          if basesOfWord[word] == four {
            out.put(words[word] & (1 << 56 - 1), Int(words[word] >> 56))
            out.flush()
          } else {
            for next in at..<at + 4 {
              out.put(literals.codes[Int(text[next])])
              out.flush()
            }
          }
          at += 4
        }
      }
      while at < end {
        out.put(literals.codes[Int(text[at])])
        out.flush()
        at += 1
      }
    }
  }

  /// - Returns: bits of the longest code of a base.
  private func prepareWords() -> Int {
    var longest = 0
    for base in Self.bases { longest = max(longest, literals.codes[Int(base)].bits) }
    guard longest * 4 <= 48 else { return longest }
    for word in 0..<256 {
      var (bits, count): (UInt64, Int) = (0, 0)
      for base in 0..<4 {
        let code = literals.codes[Int(basesOfWord[word] >> UInt32(8 * base) & 0xff)]
        bits |= UInt64(code.value) << UInt64(count)
        count += code.bits
      }
      words[word] = bits | UInt64(count) << 56
    }
    return longest
  }
}

private var noMemory: WorkpoolError { WorkpoolError(.noMemory, "no memory to pack") }

/// Bits, from the low ones of each byte on (RFC 1951 §3.1.1). The room is the caller's care, eight
/// bytes more than what is written.
struct BitWriter {
  private let start: UnsafeMutableRawPointer
  private var next: UnsafeMutableRawPointer
  private var bits: UInt64 = 0
  private var count = 0

  init(_ start: UnsafeMutableRawPointer) {
    self.start = start
    next = start
  }

  /// At most 56 bits between two calls of `flush`.
  @inline(__always)
  mutating func put(_ value: UInt64, _ valueBits: Int) {
    bits |= value &<< UInt64(count)
    count &+= valueBits
  }

  @inline(__always)
  mutating func put(_ code: HuffmanCode.Word) { put(UInt64(code.value), code.bits) }

  @inline(__always)
  mutating func flush() {
    next.storeBytes(of: bits.littleEndian, as: UInt64.self)
    next += count &>> 3
    bits &>>= UInt64(count & ~7)
    count &= 7
  }

  /// - Returns: the bytes written, the last one filled with zeros.
  mutating func finish() -> Int {
    flush()
    return next - start + (count > 0 ? 1 : 0)
  }
}
