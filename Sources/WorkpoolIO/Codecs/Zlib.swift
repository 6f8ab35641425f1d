// SPDX-License-Identifier: MIT
import CPlatform
import CZlib
import WorkpoolCore

// zlib, which every build has.

struct ZlibInflater: ~Copyable {
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

  func reset() { inflateReset(stream) }

  func inflate(
    _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
  ) -> Inflation { inflate(packed, into: bytes, flush: Z_NO_FLUSH) }

  fileprivate func inflate(
    _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer, flush: Int32
  ) -> Inflation {
    let (taken, made) = connect(stream, packed, bytes)
    // zlib refuses to begin without an address to write to.
    if stream.pointee.next_out == nil {
      stream.pointee.next_out = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: UInt8.self)
    }
    let outcome: Inflation.Outcome =
      switch CZlib.inflate(stream, flush) {
      case Z_OK, Z_BUF_ERROR: .goesOn
      case Z_STREAM_END: .ended
      case Z_MEM_ERROR: .noMemory
      default: .damaged
      }
    return Inflation(
      taken: taken - Int(stream.pointee.avail_in), made: made - Int(stream.pointee.avail_out),
      outcome: outcome)
  }
}

struct ZlibBlockInflater: ~Copyable {
  private let inflater: ZlibInflater

  init() throws(WorkpoolError) { inflater = try ZlibInflater() }

  func inflate(
    _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
  ) -> BlockOutcome {
    inflater.reset()
    // To be finished in one call: zlib makes no window for that.
    let result = inflater.inflate(packed, into: bytes, flush: Z_FINISH)
    return switch result.outcome {
    case .ended where result.taken == packed.count && result.made == bytes.count: .ended
    case .ended, .goesOn, .damaged: .damaged
    case .noMemory: .noMemory
    }
  }
}

struct ZlibDeflater: ~Copyable {
  private let stream: UnsafeMutablePointer<z_stream>

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

  func deflate(
    _ bytes: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) -> Int? {
    deflateReset(stream)
    let (_, room) = connect(stream, bytes, packed)
    guard CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END else { return nil }
    return room - Int(stream.pointee.avail_out)
  }
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
