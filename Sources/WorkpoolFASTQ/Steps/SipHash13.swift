// SPDX-License-Identifier: MIT

/// SipHash with one compression and three finalisation rounds and the key 0, 0 (Aumasson &
/// Bernstein, "SipHash: a fast short-input PRF", 2012).
struct SipHash13 {
  private var v0: UInt64 = 0x736f_6d65_7073_6575
  private var v1: UInt64 = 0x646f_7261_6e64_6f6d
  private var v2: UInt64 = 0x6c79_6765_6e65_7261
  private var v3: UInt64 = 0x7465_6462_7974_6573
  /// Bytes that do not fill a word yet, the first one lowest.
  private var tail: UInt64 = 0
  private var count = 0

  init() {}

  static func hash(_ bytes: UnsafePointer<UInt8>, _ size: Int) -> UInt64 {
    var hasher = SipHash13()
    hasher.add(bytes, size)
    return hasher.finish()
  }

  mutating func add(_ bytes: UnsafePointer<UInt8>, _ size: Int) {
    var index = 0
    while index < size, count & 7 != 0 {
      add(bytes[index])
      index &+= 1
    }
    while index &+ 8 <= size {
      let word = UnsafeRawPointer(bytes + index).loadUnaligned(as: UInt64.self)
      compress(UInt64(littleEndian: word))
      count &+= 8
      index &+= 8
    }
    while index < size {
      add(bytes[index])
      index &+= 1
    }
  }

  mutating func add(_ byte: UInt8) {
    tail |= UInt64(byte) &<< UInt64(8 &* (count & 7))
    count &+= 1
    if count & 7 == 0 {
      compress(tail)
      tail = 0
    }
  }

  /// Eight bytes, little-endian.
  mutating func add(_ number: UInt64) {
    if count & 7 == 0 {
      compress(number)
      count &+= 8
    } else {
      for index in 0..<8 { add(UInt8(truncatingIfNeeded: number &>> UInt64(8 * index))) }
    }
  }

  mutating func finish() -> UInt64 {
    compress(tail | UInt64(truncatingIfNeeded: count) &<< 56)
    v2 ^= 0xff
    for _ in 0..<3 { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }

  private mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    v0 ^= word
  }

  @inline(__always)
  private mutating func round() {
    v0 &+= v1
    v1 = Self.rotate(v1, 13) ^ v0
    v0 = Self.rotate(v0, 32)
    v2 &+= v3
    v3 = Self.rotate(v3, 16) ^ v2
    v0 &+= v3
    v3 = Self.rotate(v3, 21) ^ v0
    v2 &+= v1
    v1 = Self.rotate(v1, 17) ^ v2
    v2 = Self.rotate(v2, 32)
  }

  @inline(__always)
  private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 {
    word &<< bits | word &>> (64 &- bits)
  }
}
