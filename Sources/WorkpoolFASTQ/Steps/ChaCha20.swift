// SPDX-License-Identifier: MIT

/// A reproducible stream of random numbers: the ChaCha20 key stream (D. J. Bernstein, "ChaCha, a
/// variant of Salsa20", 2008) with 20 rounds, a 64-bit block counter from 0 and nonce 0.
///
/// The key is the seed as 8 little-endian bytes and 24 zero bytes. Words of 32 bits come in order;
/// a 64-bit number takes its low word first.
struct ChaCha20 {
  typealias Block = InlineArray<16, UInt32>

  private var input: Block
  private var output = Block(repeating: 0)
  private var used = 16

  init(seed: UInt64) {
    var key = InlineArray<8, UInt32>(repeating: 0)
    key[0] = UInt32(truncatingIfNeeded: seed)
    key[1] = UInt32(truncatingIfNeeded: seed >> 32)
    self.init(key: key, counter: 0, nonce: 0)
  }

  init(key: InlineArray<8, UInt32>, counter: UInt64, nonce: UInt64) {
    input = Block(repeating: 0)
    // "expand 32-byte k" as four little-endian words.
    input[0] = 0x6170_7865
    input[1] = 0x3320_646e
    input[2] = 0x7962_2d32
    input[3] = 0x6b20_6574
    for index in 0..<8 { input[4 + index] = key[index] }
    input[12] = UInt32(truncatingIfNeeded: counter)
    input[13] = UInt32(truncatingIfNeeded: counter >> 32)
    input[14] = UInt32(truncatingIfNeeded: nonce)
    input[15] = UInt32(truncatingIfNeeded: nonce >> 32)
  }

  mutating func next32() -> UInt32 {
    if used == 16 { refill() }
    used += 1
    return output[used - 1]
  }

  mutating func next64() -> UInt64 {
    let low = UInt64(next32())
    return low | UInt64(next32()) << 32
  }

  private mutating func refill() {
    var x = input
    for _ in 0..<10 {
      Self.quarterRound(&x, 0, 4, 8, 12)
      Self.quarterRound(&x, 1, 5, 9, 13)
      Self.quarterRound(&x, 2, 6, 10, 14)
      Self.quarterRound(&x, 3, 7, 11, 15)
      Self.quarterRound(&x, 0, 5, 10, 15)
      Self.quarterRound(&x, 1, 6, 11, 12)
      Self.quarterRound(&x, 2, 7, 8, 13)
      Self.quarterRound(&x, 3, 4, 9, 14)
    }
    for index in 0..<16 { output[index] = x[index] &+ input[index] }
    input[12] &+= 1
    if input[12] == 0 { input[13] &+= 1 }
    used = 0
  }

  @inline(__always)
  private static func quarterRound(_ x: inout Block, _ a: Int, _ b: Int, _ c: Int, _ d: Int) {
    x[a] &+= x[b]
    x[d] = rotate(x[d] ^ x[a], by: 16)
    x[c] &+= x[d]
    x[b] = rotate(x[b] ^ x[c], by: 12)
    x[a] &+= x[b]
    x[d] = rotate(x[d] ^ x[a], by: 8)
    x[c] &+= x[d]
    x[b] = rotate(x[b] ^ x[c], by: 7)
  }

  @inline(__always)
  private static func rotate(_ word: UInt32, by bits: UInt32) -> UInt32 {
    word &<< bits | word &>> (32 &- bits)
  }
}
