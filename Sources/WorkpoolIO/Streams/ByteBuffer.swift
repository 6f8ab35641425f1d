// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Makes a caller's memory hold at least so many bytes, keeping what is in it, and returns all
/// of it. The memory stays the caller's.
public typealias Reserve = (Int) throws(WorkpoolError) -> UnsafeMutableRawBufferPointer

/// Memory that grows with what a file makes it hold, and says so when there is none.
///
/// Threads: one at a time.
public final class ByteBuffer {
  public private(set) var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  /// Bytes in use, from the start of `memory`; at most `memory.count`.
  public var count = 0

  public init() {}
  deinit { wpl_free(memory.baseAddress) }

  /// The bytes in use; valid until the buffer grows or goes.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: memory.baseAddress, count: count)
  }

  /// Makes room for `capacity` bytes in all; grows by half at least, so that many small steps
  /// cost no more than one large one. Errors: `noMemory`, the content unchanged.
  @discardableResult
  public func reserve(_ capacity: Int) throws(WorkpoolError) -> UnsafeMutableRawBufferPointer {
    if capacity > memory.count {
      let size = max(capacity, memory.count + memory.count / 2)
      guard let grown = wpl_reallocate(memory.baseAddress, size) else {
        throw WorkpoolError(.noMemory, "no memory for \(size) bytes")
      }
      memory = UnsafeMutableRawBufferPointer(start: grown, count: size)
    }
    return memory
  }

  /// Copies `bytes` behind those in use. Errors: `noMemory`, the content unchanged.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(WorkpoolError) {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    try reserve(count + bytes.count)
    memcpy(memory.baseAddress! + count, start, bytes.count)
    count += bytes.count
  }

  /// Forgets the content, keeps the memory.
  public func removeAll() { count = 0 }
}

extension UnsafeRawBufferPointer {
  /// A part as a buffer of its own.
  func part(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[range])
  }
}

extension UnsafeMutableRawBufferPointer {
  func part(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: self[range])
  }
}
