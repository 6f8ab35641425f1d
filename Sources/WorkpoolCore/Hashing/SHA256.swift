// SPDX-License-Identifier: MIT
import CNettle

/// The hash function SHA-256 of FIPS 180-4, by Nettle.
package struct SHA256 {
  private var context = sha256_ctx()

  package init() { nettle_sha256_init(&context) }

  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    nettle_sha256_update(
      &context, bytes.count, start.assumingMemoryBound(to: UInt8.self))
  }

  /// 64 hexadecimal digits of all that was added; the next `add` begins anew.
  package mutating func finish() -> String {
    var digest = InlineArray<32, UInt8>(repeating: 0)
    var room = digest.mutableSpan
    room.withUnsafeMutableBufferPointer { wpl_sha256_digest(&context, $0.baseAddress) }
    var digits: [UInt8] = []
    digits.reserveCapacity(64)
    for index in 0..<32 {
      for digit in [digest[index] &>> 4, digest[index] & 15] {
        digits.append(digit < 10 ? 48 + digit : 87 + digit)
      }
    }
    return String(decoding: digits, as: UTF8.self)
  }

  /// The hash of `bytes`, in 64 hexadecimal digits.
  package static func digits(of bytes: [UInt8]) -> String {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.add($0) }
    return hash.finish()
  }
}
