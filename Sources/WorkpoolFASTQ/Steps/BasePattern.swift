// SPDX-License-Identifier: MIT
import WorkpoolCore

/// A sequence of IUPAC codes to compare reads with: a letter matches the bases that it stands for,
/// in either case, and itself; N matches any byte, and an N of the read matches nothing but N.
struct BasePattern: ~Copyable {
  let count: Int
  /// For each byte of a read: 1, 2, 4, 8 for the bases, `anyByte`, and for a code (or `_`) its own bit.
  private var bits = GrowableMemory<UInt32>()
  /// For each position of the pattern, the bits that match there.
  private var wanted = GrowableMemory<UInt32>()

  private static let anyByte: UInt32 = 16
  /// The bit of a letter that matches itself alone.
  private static func own(_ index: Int) -> UInt32 { 32 << UInt32(index) }
  private static let codes = Array("URYSWKMBDHV_".utf8)

  init(_ pattern: [UInt8]) throws(WorkpoolError) {
    count = pattern.count
    try bits.resize(256)
    for byte in 0..<256 {
      let base = UInt8(byte) & 0xdf
      let isLetter = UInt8(byte) &- 65 < 26 || UInt8(byte) &- 97 < 26
      bits.start[byte] =
        Self.anyByte | (isLetter && IUPAC.isBase(base) ? UInt32(IUPAC.bases(of: base)) : 0)
    }
    for (index, code) in Self.codes.enumerated() { bits.start[Int(code)] |= Self.own(index) }
    try wanted.resize(pattern.count)
    for (index, code) in pattern.enumerated() {
      let bases = code == UInt8(ascii: "_") ? 0 : UInt32(IUPAC.bases(of: code))
      wanted.start[index] =
        bases == 15 ? Self.anyByte : bases | (Self.codes.firstIndex(of: code).map(Self.own) ?? 0)
    }
  }

  /// Positions that differ between the pattern and the `count` bytes at `bytes`; may stop counting
  /// beyond `limit`.
  @inline(__always)
  func distance(to bytes: UnsafePointer<UInt8>, limit: Int) -> Int {
    let bits = UnsafePointer(bits.start)
    let wanted = UnsafePointer(wanted.start)
    var different = 0
    for index in 0..<count where bits[Int(bytes[index])] & wanted[index] == 0 {
      different &+= 1
      if different > limit { return different }
    }
    return different
  }
}
