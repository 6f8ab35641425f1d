// SPDX-License-Identifier: MIT
import WorkpoolCore

/// A sequence of IUPAC codes to compare reads with: a letter matches the bases that it stands for,
/// in either case; N matches any byte, and an N of the read matches nothing but N.
struct BasePattern: ~Copyable {
  let count: Int
  /// For each byte of a read, the bases that it stands for; 32 for any byte, 64 for `_`.
  private var bits = GrowableMemory<UInt8>()
  /// For each position of the pattern, the bits that match there; N: 32. A `_` matches itself.
  private var wanted = GrowableMemory<UInt8>()

  init(_ pattern: [UInt8]) throws(WorkpoolError) {
    count = pattern.count
    try bits.resize(256)
    for byte in 0..<256 {
      let base = UInt8(byte) & 0xdf
      let isLetter = UInt8(byte) &- 65 < 26 || UInt8(byte) &- 97 < 26
      bits.start[byte] = 32 | (isLetter && IUPAC.isBase(base) ? IUPAC.bases(of: base) : 0)
    }
    bits.start[Int(UInt8(ascii: "_"))] = 32 | 64
    try wanted.resize(pattern.count)
    for (index, code) in pattern.enumerated() {
      let bases = IUPAC.bases(of: code)
      wanted.start[index] = code == UInt8(ascii: "_") ? 64 : bases == 15 ? 32 : bases
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
