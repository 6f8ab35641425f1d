// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

/// Reads as sequencers write them: a few qualities in runs, names that count up.
private func binned(
  _ count: Int, seed: UInt64 = 3, bases: ClosedRange<Int> = 0...160, end: String = "\n",
  isRepeated: Bool = false, letters: String = "ACGT"
) -> Bytes {
  var random = SeededRandom(seed)
  let letters = Array(letters.utf8)
  let template = (0..<bases.upperBound).map { _ in letters.randomElement(using: &random)! }
  var text = Bytes()
  var y = 900
  for number in 0..<count {
    y += Int.random(in: 0...20, using: &random)
    let x = Int.random(in: 1...32_000, using: &random)
    text += Bytes("@A00583:412:HV:1:1101:\(x):\(y) 1:N:0:ACGT\(end)".utf8)
    let size = Int.random(in: bases, using: &random)
    for index in 0..<size {
      let isNew = !isRepeated || Int.random(in: 0..<200, using: &random) == 0
      text.append(isNew ? letters.randomElement(using: &random)! : template[index])
      if Int.random(in: 0..<500, using: &random) == 0 { text[text.count - 1] = 78 }
    }
    text += Bytes("\(end)+\(end)".utf8)
    var quality = UInt8(ascii: "F")
    for _ in 0..<size {
      if Int.random(in: 0..<30, using: &random) == 0 {
        quality = Array("F:,#".utf8).randomElement(using: &random)!
      } else if Int.random(in: 0..<2, using: &random) == 0 {
        quality = UInt8(ascii: "F")
      }
      text.append(quality)
    }
    text += Bytes((number == count - 1 ? "\n" : end).utf8)
  }
  return text
}

@Suite final class FASTQDeflaterTests {
  private let deflater: FASTQDeflater
  private let inflater: BlockInflater

  init() throws {
    deflater = try FASTQDeflater(level: 1)
    inflater = try BlockInflater()
  }

  /// What comes out of as much room as a stored block has, or nil; nothing may lie behind it.
  private func pack(_ slice: ArraySlice<UInt8>, room: Int? = nil) -> Bytes? {
    let room = room ?? slice.count + 5
    var packed = Bytes(repeating: 0xee, count: room + 16)
    let outcome = packed.withUnsafeMutableBytes { packed in
      slice.withUnsafeBytes { deflater.deflate($0, into: packed.part(0..<room)) }
    }
    let isInside = packed[room...].allSatisfy { $0 == 0xee }
    #expect(isInside, "it wrote behind its room")
    guard case .packed(let size) = outcome else { return nil }
    return Bytes(packed[..<size])
  }

  private func holds(_ packed: Bytes, _ slice: ArraySlice<UInt8>) -> Bool {
    var made = Bytes(repeating: 0, count: slice.count)
    let outcome = made.withUnsafeMutableBytes { made in
      packed.withUnsafeBytes { inflater.inflate($0, into: made) }
    }
    return outcome == .ended && made == Bytes(slice)
  }

  @Test("what is packed unpacks to the same, wherever a slice begins and ends")
  func cuts() throws {
    let text = binned(12, bases: 0...40)
    var packedCount = 0
    for start in 0..<300 {
      for end in stride(from: text.count, to: start + 1, by: -7) {
        guard let packed = pack(text[start..<end]) else { continue }
        packedCount += 1
        let isSame = holds(packed, text[start..<end])
        #expect(isSame, "\(start)..<\(end)")
      }
    }
    #expect(packedCount > 10_000)
  }

  @Test("reads of every kind pack and unpack, in slices of full size")
  func kinds() throws {
    let texts = [
      binned(700), binned(700, end: "\r\n"), binned(500, bases: 150...150),
      binned(400, isRepeated: true), binned(400, letters: "acgt"),
      binned(700, letters: "ACGTRYKMN"),
      binned(3, bases: 30_000...40_000, isRepeated: true), binned(40_000, bases: 0...0),
      binned(4_000, bases: 1...3, letters: "G"), binned(1, bases: 50_000...50_000, letters: "A"),
      Bytes(String(repeating: "@a\n\n+\n\n", count: 9_000).utf8),
      Bytes(String(repeating: "@SRR1.7 7/1\nGATTACA\n+SRR1.7 7/1\nFFFFFFF\n", count: 1_500).utf8),
    ]
    for (number, text) in texts.enumerated() {
      var start = 0
      while start < text.count {
        let slice = text[start..<min(start + 65_280, text.count)]
        start += slice.count
        let packed = pack(slice)
        // The rest of a long read is no FASTQ that could be known; names twice, and reads that are
        // hardly any, are no runs.
        let isDeclined = packed == nil && (number >= 8 || number == 6 || slice.count < 200)
        let isSame = packed.map { holds($0, slice) } ?? isDeclined
        #expect(isSame, "text \(number) before \(start)")
      }
    }
  }

  @Test("binned qualities pack smaller than with any other level")
  func sizes() throws {
    let slice = binned(400, bases: 140...150)[..<65_280]
    let packed = try #require(pack(slice))
    var other = Bytes(repeating: 0, count: 70_000)
    for level in 1...9 {
      let size = try other.withUnsafeMutableBytes { other in
        try slice.withUnsafeBytes { try Deflater(level: level).deflate($0, into: other) }
      }
      #expect(packed.count < size ?? 70_000, "level \(level)")
    }
    // The same bases again and again cost next to nothing.
    let repeated = try #require(pack(binned(400, bases: 150...150, isRepeated: true)[..<65_280]))
    #expect(repeated.count * 3 < packed.count * 2)
  }

  @Test("what is no FASTQ with few qualities is left to others")
  func declined() {
    let fasta = Bytes(String(repeating: ">a\nACGTACGTTTGA\n", count: 3_000).utf8)
    let wrong = binned(50) + Bytes("@a\nAC\n-\nFF\n".utf8) + binned(50)
    let short = binned(50) + Bytes("@a\nACA\n+\nFF\n".utf8) + binned(50)
    for text in [[], [64], Bytes("@a\n".utf8), noise(60_000), noisy(200), fasta, wrong, short] {
      #expect(pack(text[...]) == nil)
    }
    #expect(pack(Bytes(repeating: 65, count: 65_537)[...]) == nil)
  }

  @Test("reads that repeat each other are left to levels that look for all repeats")
  func repeats() throws {
    let repeated = binned(300, bases: 150...150, isRepeated: true)[..<65_280]
    let other = binned(300, bases: 150...150)[..<65_280]
    var packed = Bytes(repeating: 0, count: 70_000)
    for (level, isTaken) in [(1, true), (2, true), (3, false), (6, false), (9, false)] {
      let deflater = try FASTQDeflater(level: level)
      for (slice, isTaken) in [(repeated, isTaken), (other, true)] {
        let outcome = packed.withUnsafeMutableBytes { packed in
          slice.withUnsafeBytes { deflater.deflate($0, into: packed) }
        }
        #expect((outcome != .declined) == isTaken, "level \(level)")
      }
    }
  }

  /// FASTQ with all qualities of a range; the same bases in each read, or others.
  private func noisy(_ count: Int, isRepeated: Bool = false) -> Bytes {
    var random = SeededRandom(9)
    var text = Bytes()
    for number in 0..<count {
      text += record(isRepeated ? 0 : number, bases: 150).dropLast(151)
      text += (0..<150).map { _ in UInt8.random(in: 35...73, using: &random) } + [10]
    }
    return text
  }

  @Test("qualities that are not binned get level 1 up to level 4, where reads are not alike")
  func manyQualities() throws {
    var packed = Bytes(repeating: 0, count: 70_000)
    func outcome(_ slice: ArraySlice<UInt8>) -> FASTQDeflater.Outcome {
      packed.withUnsafeMutableBytes { packed in
        slice.withUnsafeBytes { deflater.deflate($0, into: packed) }
      }
    }
    let (other, alike) = (noisy(220)[..<65_280], noisy(220, isRepeated: true)[..<65_280])
    #expect(outcome(other) == .manyQualities && outcome(alike) == .declined)
    func size(_ slice: ArraySlice<UInt8>, _ level: Int) throws -> Int {
      let packer = try Packer.make(.gzip, level: level)
      var packed = Bytes(repeating: 0, count: packer.bound(slice.count))
      return try packed.withUnsafeMutableBytes { packed in
        try slice.withUnsafeBytes { try packer.pack($0, into: packed) }
      }
    }
    let sizes = try (1...6).map { try size(other, $0) }
    #expect(sizes[..<4].allSatisfy { $0 == sizes[0] } && sizes[5] < sizes[0])
    #expect(try size(alike, 4) < size(alike, 1))
  }

  @Test("without enough room nothing is packed")
  func room() throws {
    let slice = binned(100)[...]
    let size = try #require(pack(slice)).count
    for room in [0, 1, 8, size - 1, size] { #expect(pack(slice, room: room) == nil) }
    let isSame = pack(slice, room: size + 9).map { holds($0, slice) }
    #expect(isSame == true)
  }

  @Test("a slice packs to the same whatever came before")
  func anew() throws {
    let slice = binned(300)[...]
    let first = pack(slice)
    _ = pack(binned(500, seed: 8, isRepeated: true)[...])
    _ = pack(noise(5_000)[...])
    let isSame = pack(slice) == first
    #expect(isSame)
  }
}
