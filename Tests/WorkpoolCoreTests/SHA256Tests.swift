// SPDX-License-Identifier: MIT
import Testing

@testable import WorkpoolCore

@Suite struct SHA256Tests {
  @Test(
    "the examples of FIPS 180, in pieces too",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ])
  func examples(text: String, expected: String) {
    let bytes = Array(text.utf8)
    for piece in [1, 7, 64] {
      var hash = SHA256()
      for start in stride(from: 0, to: bytes.count, by: piece) {
        bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { hash.add($0) }
      }
      #expect(hash.finish() == expected)
    }
  }
}
