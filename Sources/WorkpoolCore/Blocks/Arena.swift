// SPDX-License-Identifier: MIT
import CPlatform

/// Memory that is taken piece by piece, may fail, and goes all at once with the arena.
public final class Arena {
  private var pieces: [UnsafeMutableRawPointer] = []
  /// All that was allocated.
  public private(set) var bytes = 0

  public init() {}

  deinit {
    for piece in pieces { wpl_free(piece) }
  }

  /// Uninitialized room for `count` values, on cache lines of its own.
  public func allocate<T: ~Copyable>(
    _ type: T.Type, count: Int
  ) throws(WorkpoolError) -> UnsafeMutablePointer<T> {
    let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
    // A line of room at the end: neighbours are fetched in pairs.
    guard !overflow, size < Int.max - 128,
      let piece = wpl_allocate_aligned(128, max(size, 1) + 128)
    else {
      throw WorkpoolError(.noMemory, "no memory for a pipeline")
    }
    pieces.append(piece)
    bytes += max(size, 1) + 128
    return piece.bindMemory(to: type, capacity: count)
  }

  /// Room for `count` values whose first state is all zero bits, on cache lines of its own. What nobody
  /// touches of a large piece takes no memory.
  public func allocateZeroed<T: ~Copyable>(
    _ type: T.Type, count: Int
  ) throws(WorkpoolError) -> UnsafeMutablePointer<T> {
    let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
    guard !overflow, size < Int.max - 384, let piece = wpl_allocate_zeroed(size + 384) else {
      throw WorkpoolError(.noMemory, "no memory for a pipeline")
    }
    pieces.append(piece)
    bytes += size + 384
    return piece.alignedUp(toMultipleOf: 128).bindMemory(to: type, capacity: count)
  }
}
