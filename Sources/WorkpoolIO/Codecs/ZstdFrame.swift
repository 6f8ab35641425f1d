// SPDX-License-Identifier: MIT

/// The header of a zstd frame (RFC 8878 §3.1.1.1).
struct ZstdFrameHeader {
  /// Bytes of the longest one, with its magic number.
  static let largest = 18

  /// With its magic number.
  let size: Int
  let hasReservedBit: Bool
  /// 0: none.
  let dictionary: UInt64
  /// What the frame unpacks to, if the header says so.
  let contentSize: UInt64?
  let window: UInt64
  let hasChecksum: Bool

  /// nil if `bytes`, which begin with the magic number, hold no whole header.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 4 else { return nil }
    let descriptor = bytes[4]
    let isSingleSegment = descriptor & 0x20 != 0
    let dictionarySize = [0, 1, 2, 4][Int(descriptor & 3)]
    let contentSizeSize = [isSingleSegment ? 1 : 0, 2, 4, 8][Int(descriptor >> 6)]
    let dictionaryAt = isSingleSegment ? 5 : 6
    let contentSizeAt = dictionaryAt + dictionarySize
    size = contentSizeAt + contentSizeSize
    guard bytes.count >= size else { return nil }

    hasReservedBit = descriptor & 0x08 != 0
    hasChecksum = descriptor & 0x04 != 0
    dictionary = bytes.integer(at: dictionaryAt, size: dictionarySize)
    contentSize =
      contentSizeSize == 0
      ? nil
      : bytes.integer(at: contentSizeAt, size: contentSizeSize) &+ (contentSizeSize == 2 ? 256 : 0)
    if isSingleSegment {
      window = contentSize ?? 0
    } else {
      let base = UInt64(1) << (10 + UInt64(bytes[5] >> 3))
      window = base + base / 8 * UInt64(bytes[5] & 7)
    }
  }

  /// Whether nothing but the window has to be judged.
  var isPlain: Bool { !hasReservedBit && dictionary == 0 }
}

/// The header of a block in a zstd frame (RFC 8878 §3.1.1.2).
struct ZstdBlockHeader {
  /// What a block unpacks to at most.
  private static let largestDecoded = 128 << 10

  let isLast: Bool
  /// Packed bytes behind the header.
  let size: Int
  private let kind: UInt64
  private let sizeField: Int

  /// nil for the kind of block that is none.
  init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    let bits = bytes.integer(at: offset, size: 3)
    isLast = bits & 1 != 0
    kind = bits >> 1 & 3
    sizeField = Int(bits >> 3)
    if kind == 3 { return nil }
    size = kind == 1 ? 1 : sizeField
  }

  /// What the block of a frame with that window unpacks to at most.
  func decodedSize(_ window: UInt64) -> Int {
    kind == 2 ? min(Int(clamping: window), Self.largestDecoded) : sizeField
  }
}

extension UnsafeRawBufferPointer {
  /// A little-endian integer of any size up to 8.
  func integer(at offset: Int, size: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in (0..<size).reversed() { value = value << 8 | UInt64(self[offset + index]) }
    return value
  }
}
