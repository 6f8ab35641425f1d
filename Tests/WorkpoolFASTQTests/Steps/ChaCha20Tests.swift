// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ChaCha20Tests {
  /// RFC 8439 §2.3.2. Its 32-bit counter and 96-bit nonce fill the same four words as the 64-bit
  /// counter and nonce here: 1 and 0x09000000 are the counter's words, 0x4a000000 and 0 those of
  /// the nonce.
  @Test("the block of RFC 8439 section 2.3.2")
  func block() {
    var key = InlineArray<8, UInt32>(repeating: 0)
    for index in 0..<8 {
      let first = UInt32(4 * index)
      key[index] = first | (first + 1) << 8 | (first + 2) << 16 | (first + 3) << 24
    }
    var random = ChaCha20(key: key, counter: 0x0900_0000_0000_0001, nonce: 0x4a00_0000)
    let expected: [UInt32] = [
      0xe4e7_f110, 0x1559_3bd1, 0x1fdd_0f50, 0xc471_20a3, 0xc7f4_d1c7, 0x0368_c033, 0x9aaa_2204,
      0x4e6c_d4c3, 0x4664_82d2, 0x09aa_9f07, 0x05d7_c214, 0xa202_8bd9, 0xd19c_12b5, 0xb94e_16de,
      0xe883_d0cb, 0x4e3c_50a2,
    ]
    #expect(expected.map { _ in random.next32() } == expected)
  }

  @Test("the key stream of a zero key, RFC 8439 appendix A.1, vectors 1 and 2")
  func zeroKey() {
    var random = ChaCha20(seed: 0)
    let first = (0..<8).map { _ in random.next64() }
    #expect(first[0] == 0x903d_f1a0_ade0_b876)
    #expect(first[7] == 0x8665_eeb2_69b6_87c3)
    #expect(random.next64() == 0x7a38_5155_bee7_079f)
  }

  @Test("the counter carries into its high word")
  func carries() {
    let key = InlineArray<8, UInt32>(repeating: 0)
    var across = ChaCha20(key: key, counter: 0xffff_ffff, nonce: 0)
    for _ in 0..<16 { _ = across.next32() }
    var after = ChaCha20(key: key, counter: 0x1_0000_0000, nonce: 0)
    #expect((0..<16).allSatisfy { _ in across.next32() == after.next32() })
  }

  @Test("the seed is the first eight bytes of the key, low byte first")
  func seeds() {
    var key = InlineArray<8, UInt32>(repeating: 0)
    key[0] = 0x5566_7788
    key[1] = 0x1122_3344
    var keyed = ChaCha20(key: key, counter: 0, nonce: 0)
    var seeded = ChaCha20(seed: 0x1122_3344_5566_7788)
    #expect((0..<40).allSatisfy { _ in keyed.next32() == seeded.next32() })
  }
}
