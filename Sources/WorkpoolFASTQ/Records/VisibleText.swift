// SPDX-License-Identifier: MIT

/// Bytes of a file for a message: control characters escaped, shortened to 100 bytes.
func visibleText(_ bytes: UnsafePointer<UInt8>, _ size: Int) -> String {
  var shown: [UInt8] = []
  for index in 0..<min(size, 100) {
    let byte = bytes[index]
    if byte < 32 || byte == 127 {
      shown += [92, 120, hexDigit(byte >> 4), hexDigit(byte & 15)]
    } else {
      shown.append(byte)
    }
  }
  return String(decoding: shown, as: UTF8.self) + (size > 100 ? "…" : "")
}

/// `'N'`, or `byte 0x00` for what cannot be shown.
func visibleByte(_ byte: UInt8) -> String {
  if byte > 32 && byte < 127 { return "'" + String(UnicodeScalar(byte)) + "'" }
  return "byte 0x" + String(decoding: [hexDigit(byte >> 4), hexDigit(byte & 15)], as: UTF8.self)
}

private func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
