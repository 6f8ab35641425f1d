// SPDX-License-Identifier: MIT
import CPlatform

/// A slice that is being packed, looked at in the ways that packing FASTQ needs. Indices are not
/// checked: whoever asks stays below `count`.
struct DeflateText {
  let start: UnsafeRawPointer
  let count: Int

  @inline(__always)
  subscript(_ index: Int) -> UInt8 { start.load(fromByteOffset: index, as: UInt8.self) }

  @inline(__always)
  func four(_ index: Int) -> UInt32 {
    UInt32(littleEndian: start.loadUnaligned(fromByteOffset: index, as: UInt32.self))
  }

  @inline(__always)
  private func eight(_ index: Int) -> UInt64 {
    UInt64(littleEndian: start.loadUnaligned(fromByteOffset: index, as: UInt64.self))
  }

  /// Four bases as one of 256 words: two bits of each letter, which tell A, C, G and T apart.
  @inline(__always)
  func word(_ index: Int) -> UInt8 { Self.word(four(index)) }

  @inline(__always)
  static func word(_ bases: UInt32) -> UInt8 {
    UInt8(truncatingIfNeeded: ((bases >> 1 & 0x0303_0303) &* 0x4010_0401) >> 24)
  }

  /// Of the line that `index` lies in, the end; `count` where it has none.
  @inline(__always)
  func end(ofLineAt index: Int) -> Int {
    guard index < count, let found = memchr(start + index, 0x0a, count - index) else {
      return count
    }
    return UnsafeRawPointer(found) - start
  }

  /// Where the first whole name line begins: one with @ two lines before one with +. A line of
  /// qualities that begins with @ has bases two lines behind it.
  var firstRecord: Int? {
    var line = 0
    for _ in 0..<5 {
      let second = end(ofLineAt: line) + 1
      let third = end(ofLineAt: second) + 1
      guard third < count else { return nil }
      if self[line] == UInt8(ascii: "@") && self[third] == UInt8(ascii: "+") { return line }
      line = second
    }
    return nil
  }

  /// How many bytes from `at` on are the same as those from `old` on, which lies before it.
  @inline(__always)
  func alike(_ at: Int, _ old: Int, upTo end: Int) -> Int {
    var length = 0
    let most = end - at
    while length + 8 <= most {
      let difference = eight(at + length) ^ eight(old + length)
      if difference != 0 { return length &+ difference.trailingZeroBitCount &>> 3 }
      length &+= 8
    }
    while length < most && self[at + length] == self[old + length] { length += 1 }
    return length
  }

  /// Puts where the bytes of a part differ from the one before them into `ends`, behind the first
  /// `count`.
  @inline(__always)
  func findRuns(
    _ first: Int, _ end: Int, _ ends: UnsafeMutablePointer<UInt16>, _ count: inout Int
  ) {
    var at = max(first, 1)
    while at + 8 <= end {
      var difference = eight(at) ^ eight(at - 1)
      while difference != 0 {
        let byte = difference.trailingZeroBitCount >> 3
        ends[count] = UInt16(truncatingIfNeeded: at &+ byte)
        count &+= 1
        difference &= (~0xff as UInt64) &<< UInt64(byte &* 8)
      }
      at += 8
    }
    while at < end {
      if self[at] != self[at - 1] {
        ends[count] = UInt16(at)
        count += 1
      }
      at += 1
    }
  }
}
