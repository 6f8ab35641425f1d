// SPDX-License-Identifier: MIT
import CZlib
import WorkpoolCore

#if ISAL
  import CISAL
#elseif Libdeflate
  import CLibdeflate
#endif

// Raw deflate (RFC 1951): which library does what. What is packed differs between them, what is
// unpacked does not. Measured on one core with FASTQ of binned qualities, in blocks of 65,280 bytes,
// zlib 1.2.13, libdeflate 1.14, ISA-L 2.30; MB/s of text, and packed / unpacked size:
//
//              CRC-32  unpack |  level 1      2          3          4          5          6          7          8
//   zlib         3314     422 |  118 .2332                          71 .2111              15 .1997
//   libdeflate   8880    1031 |  249 .2119  134 .2097  120 .2065  106 .2042   72 .2022   43 .1972   24 .1942   12 .1926
//   ISA-L       10007     820 |  543 .2192  540 .2191  211 .2195
//
// ISA-L does not pack here: what version 2.30 makes of the same bytes depends on the address of its state, in
// one of a hundred short blocks, and so on the worker and the run.
//
// Such FASTQ is packed by `FASTQDeflater` at any level: .187 of the size, as fast as ISA-L's level 3 or
// faster. The libraries get what it declines.
//
// A whole stream that is read piece by piece: zlib 460, ISA-L 1051; libdeflate cannot.

/// What one step of unpacking did.
struct Inflation {
  enum Outcome {
    /// All input was taken or all room was filled.
    case goesOn
    case ended
    case damaged
    case noMemory
  }

  /// Bytes of the input that were used; less than 0 by at most 8 where some of earlier calls were not.
  var taken: Int
  var made: Int
  var outcome: Outcome
}

/// Unpacks raw deflate streams, one after the other, with one context.
///
/// `reset()` begins the next stream; `inflate(_:into:)` takes the next piece of it.
#if ISAL
  typealias Inflater = ISALInflater
#else
  typealias Inflater = ZlibInflater
#endif

enum BlockOutcome {
  /// All input was used and all room was filled, neither more nor less.
  case ended
  /// Anything else; the room may hold anything.
  case damaged
  case noMemory
}

/// Unpacks raw deflate streams that are whole and whose decoded size is known, such as the blocks of
/// BGZF, with one context: no allocation for a block.
///
/// Threads: one at a time; as many inflaters as there are workers.
#if Libdeflate
  typealias BlockInflater = LibdeflateInflater
#else
  typealias BlockInflater = ZlibBlockInflater
#endif

/// Packs pieces of bytes into one raw deflate stream each, with one context.
enum Deflater: ~Copyable {
  case zlib(ZlibDeflater)
  #if Libdeflate
    case libdeflate(LibdeflateDeflater)
  #endif

  /// - Parameter level: 1 to 9.
  init(level: Int) throws(WorkpoolError) {
    #if Libdeflate
      self = .libdeflate(try LibdeflateDeflater(level: level))
    #else
      self = .zlib(try ZlibDeflater(level: level))
    #endif
  }

  /// - Returns: the packed size, or nil where `packed` is too small for it.
  borrowing func deflate(
    _ bytes: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) -> Int? {
    switch self {
    case .zlib(let deflater): deflater.deflate(bytes, into: packed)
    #if Libdeflate
      case .libdeflate(let deflater): deflater.deflate(bytes, into: packed)
    #endif
    }
  }
}

/// CRC-32 of RFC 1952 §8, continued; begins with 0.
func checksum(_ checksum: uLong, _ bytes: UnsafeRawBufferPointer) -> uLong {
  #if ISAL
    uLong(wpi_crc32(UInt32(truncatingIfNeeded: checksum), bytes.baseAddress, bytes.count))
  #elseif Libdeflate
    // It begins anew when it is given no address.
    bytes.isEmpty
      ? checksum
      : uLong(
        libdeflate_crc32(UInt32(truncatingIfNeeded: checksum), bytes.baseAddress, bytes.count))
  #else
    crc32_z(checksum, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
  #endif
}
