// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct HuffmanCodeTests {
  /// Bits of each symbol after the code was built for `counts`.
  private func bits(_ counts: [UInt32], longest: Int) throws -> [Int] {
    let code = try HuffmanCode(symbols: counts.count, longest: longest)
    for (symbol, count) in counts.enumerated() { code.counts[symbol] = count }
    code.build()
    return counts.indices.map { code.codes[$0].bits }
  }

  /// 1 for a code that is complete.
  private func share(_ bits: [Int]) -> Double {
    bits.reduce(0) { $0 + ($1 == 0 ? 0 : 1 / Double(1 << $1)) }
  }

  @Test("frequent symbols have short codes, those that do not occur none")
  func lengths() throws {
    #expect(try bits([0, 8, 4, 2, 0, 1, 1], longest: 15) == [0, 1, 2, 3, 0, 4, 4])
    #expect(try bits([5, 5, 5, 5], longest: 15) == [2, 2, 2, 2])
    #expect(try bits([0, 3], longest: 15) == [0, 1])
    #expect(try bits([0, 0], longest: 15) == [0, 0])
  }

  @Test("codes that would be too long are cut, and stay complete")
  func limit() throws {
    var counts: [UInt32] = [1, 1]
    while counts.count < 30 { counts.append(counts[counts.count - 1] + counts[counts.count - 2]) }
    for longest in [5, 7, 12, 15] {
      let made = try bits(counts, longest: longest)
      #expect(made.max()! <= longest)
      #expect(share(made) == 1)
    }
  }

  @Test("codes of any counts are complete, and no code begins another")
  func random() throws {
    var random = SeededRandom(5)
    for _ in 0..<200 {
      let counts = (0..<286).map { _ in
        Int.random(in: 0..<3, using: &random) == 0
          ? UInt32.random(in: 1...60_000, using: &random)
            >> UInt32.random(in: 0...15, using: &random)
          : 0
      }
      let code = try HuffmanCode(symbols: 286, longest: 15)
      for (symbol, count) in counts.enumerated() { code.counts[symbol] = count }
      code.build()
      let words = (0..<286).map { code.codes[$0] }
      #expect(share(words.map(\.bits)) == 1)
      var taken = Set<Int>()
      // All endings of 15 bits, each of one code only.
      for word in words where word.bits > 0 {
        for rest in 0..<(1 << (15 - word.bits)) {
          taken.insert(Int(word.value) | rest << word.bits)
        }
      }
      #expect(taken.count == 1 << 15)
    }
  }
}
