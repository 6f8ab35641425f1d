// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Places of a packed file where unpacking can begin, and how many decoded bytes lie before each.
///
/// The first one is the start of the file. Grows by two integers for each, in memory that says so
/// when there is none.
struct SeekPoints: ~Copyable {
  struct Point: Equatable {
    /// Bytes of the file before it.
    var packed: UInt64
    /// Decoded bytes before it.
    var decoded: UInt64
  }

  private let memory = ByteBuffer()
  private(set) var count = 0

  subscript(_ index: Int) -> Point {
    memory.bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Point>.stride, as: Point.self)
  }

  var last: Point? { count == 0 ? nil : self[count - 1] }

  /// Errors: `noMemory`. - Precondition: neither place is before those of the last one.
  mutating func append(_ point: Point) throws(WorkpoolError) {
    let size = MemoryLayout<Point>.stride
    try memory.reserve((count + 1) * size)
    memory.memory.storeBytes(of: point, toByteOffset: count * size, as: Point.self)
    count += 1
    memory.count = count * size
  }

  /// The last point that is not behind `decoded`. - Complexity: logarithmic.
  func index(decoded: UInt64) -> Int { lastIndex { $0.decoded <= decoded } }

  /// The last point that is not behind `packed`. - Complexity: logarithmic.
  func index(packed: UInt64) -> Int { lastIndex { $0.packed <= packed } }

  private func lastIndex(_ isBefore: (Point) -> Bool) -> Int {
    var (low, high) = (0, count)
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if isBefore(self[middle]) { low = middle } else { high = middle }
    }
    return low
  }
}
