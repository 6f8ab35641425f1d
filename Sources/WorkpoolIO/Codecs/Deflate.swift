// SPDX-License-Identifier: MIT
import CPlatform
import CZlib
import WorkpoolCore

/// Unpacks raw deflate streams (RFC 1951), one after the other, with one context.
struct Inflater: ~Copyable {
  enum Outcome {
    /// All input was taken or all room was filled.
    case goesOn
    case ended
    case damaged(String)
    case noMemory
  }

  private let stream: UnsafeMutablePointer<z_stream>

  init() throws(WorkpoolError) {
    let stream = try makeStream()
    guard wpz_inflate_init(stream, -15) == Z_OK else {
      wpl_free(stream)
      throw noMemory
    }
    self.stream = stream
  }

  deinit {
    inflateEnd(stream)
    wpl_free(stream)
  }

  /// Begins the next stream.
  func reset() { inflateReset(stream) }

  /// - Parameter isWhole: whether `packed` is all of a stream and `bytes` has room for all that it
  ///   makes: then no window is kept.
  func inflate(
    _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer,
    isWhole: Bool = false
  ) -> (taken: Int, made: Int, outcome: Outcome) {
    let (taken, made) = connect(stream, packed, bytes)
    // zlib refuses to begin without an address to write to.
    if stream.pointee.next_out == nil {
      stream.pointee.next_out = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: UInt8.self)
    }
    let code = CZlib.inflate(stream, isWhole ? Z_FINISH : Z_NO_FLUSH)
    let outcome: Outcome =
      switch code {
      case Z_OK, Z_BUF_ERROR: .goesOn
      case Z_STREAM_END: .ended
      case Z_MEM_ERROR: .noMemory
      default: .damaged(stream.pointee.msg.map { String(cString: $0) } ?? "code \(code)")
      }
    return (
      taken - Int(stream.pointee.avail_in), made - Int(stream.pointee.avail_out), outcome
    )
  }
}

/// Packs pieces of bytes into one raw deflate stream each, with one context.
struct Deflater: ~Copyable {
  private let stream: UnsafeMutablePointer<z_stream>

  /// - Parameter level: 1 to 9.
  init(level: Int) throws(WorkpoolError) {
    let stream = try makeStream()
    guard wpz_deflate_init(stream, Int32(level), -15) == Z_OK else {
      wpl_free(stream)
      throw noMemory
    }
    self.stream = stream
  }

  deinit {
    deflateEnd(stream)
    wpl_free(stream)
  }

  /// - Returns: the packed size, or nil where `packed` is too small for it.
  func deflate(
    _ bytes: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) -> Int? {
    deflateReset(stream)
    let (_, room) = connect(stream, bytes, packed)
    guard CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END else { return nil }
    return room - Int(stream.pointee.avail_out)
  }
}

/// CRC-32 of RFC 1952 §8, continued; begins with 0.
func checksum(_ checksum: uLong, _ bytes: UnsafeRawBufferPointer) -> uLong {
  crc32_z(checksum, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
}

private var noMemory: WorkpoolError { WorkpoolError(.noMemory, "no memory for zlib") }

/// zlib keeps a pointer back to its stream: it stays where it is.
private func makeStream() throws(WorkpoolError) -> UnsafeMutablePointer<z_stream> {
  guard let memory = wpl_allocate_zeroed(MemoryLayout<z_stream>.size) else { throw noMemory }
  let stream = memory.bindMemory(to: z_stream.self, capacity: 1)
  stream.pointee.zalloc = { _, count, size in wpl_allocate_zeroed(Int(count) * Int(size)) }
  stream.pointee.zfree = { _, memory in wpl_free(memory) }
  return stream
}

/// Hands over as much as zlib's 32-bit counters can say.
private func connect(
  _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer,
  _ output: UnsafeMutableRawBufferPointer
) -> (input: Int, output: Int) {
  let counts = (min(input.count, 1 << 30), min(output.count, 1 << 30))
  // zlib does not write to its input; its pointers are not const for old compilers.
  stream.pointee.next_in = UnsafeMutablePointer(
    mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
  stream.pointee.avail_in = uInt(counts.0)
  stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
  stream.pointee.avail_out = uInt(counts.1)
  return counts
}
