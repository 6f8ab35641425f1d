// SPDX-License-Identifier: MIT

/// Where the parts of a BGZF block lie (SAM specification §4.1): a gzip member that says its size.
struct BGZFBlock {
  /// What a block unpacks to at most.
  static let largestDecoded = 1 << 16

  let headerSize: Int
  /// All of the block.
  let size: Int

  /// How long the header of a block is, by its first 12 bytes; nil for anything but a block with a header
  /// of the plainest kind: other members are better looked at byte by byte.
  static func headerSize(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= 12, bytes[0] == 0x1f, bytes[1] == 0x8b, bytes[2] == 8, bytes[3] == 4 else {
      return nil
    }
    return 12 + Int(bytes.integer(at: 10, as: UInt16.self))
  }

  /// nil for anything but a block, and where its header is not whole or not in order.
  init?(header bytes: UnsafeRawBufferPointer) {
    guard let headerSize = Self.headerSize(bytes), bytes.count >= headerSize else { return nil }
    self.headerSize = headerSize
    var size = 0
    var at = 12
    while headerSize - at >= 4 {
      let fieldSize = Int(bytes.integer(at: at + 2, as: UInt16.self))
      guard fieldSize <= headerSize - at - 4 else { return nil }
      let isBlockSize = bytes[at] == UInt8(ascii: "B") && bytes[at + 1] == UInt8(ascii: "C")
      if isBlockSize && fieldSize == 2 && size == 0 {
        size = Int(bytes.integer(at: at + 4, as: UInt16.self)) + 1
      }
      at += 4 + fieldSize
    }
    // The shortest deflate stream and the trailer.
    guard size >= headerSize + 2 + 8 else { return nil }
    self.size = size
  }

  /// The deflate stream of a block that begins with `bytes`.
  func data(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    bytes.part(headerSize..<size - 8)
  }

  /// CRC-32 of the decoded bytes, as the trailer says.
  func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    bytes.integer(at: size - 8, as: UInt32.self)
  }

  /// How many decoded bytes there are, as the trailer says.
  func decodedSize(_ bytes: UnsafeRawBufferPointer) -> Int {
    Int(bytes.integer(at: size - 4, as: UInt32.self))
  }
}

extension UnsafeRawBufferPointer {
  /// A little-endian integer anywhere.
  @inline(__always)
  func integer<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type)
    -> Value
  {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}
