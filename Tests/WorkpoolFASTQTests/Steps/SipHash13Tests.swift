// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct SipHash13Tests {
  @Test("an empty text, and pieces that come to the same", arguments: [0, 1, 7, 8, 9, 63, 64, 65])
  func pieces(size: Int) {
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let whole = bytes.withUnsafeBufferPointer { bytes in
      SipHash13.hash(bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!, bytes.count)
    }
    var hasher = SipHash13()
    for byte in bytes { hasher.add(byte) }
    #expect(hasher.finish() == whole)
  }

  @Test("numbers are eight bytes")
  func numbers() {
    var one = SipHash13()
    one.add(UInt64(0x0807_0605_0403_0201))
    var other = SipHash13()
    for byte in UInt8(1)...8 { other.add(byte) }
    #expect(one.finish() == other.finish())
  }
}
