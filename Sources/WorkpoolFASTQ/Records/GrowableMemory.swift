// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Memory for trivial elements, owned by one place, kept for the next block and grown by doubling.
///
/// It holds what the content of a file sizes, so that a failed allocation is an error and not
/// the end of the host. `count` elements from `start` are in use; their content after growing
/// `count` is whatever lay there.
public struct GrowableMemory<Element: BitwiseCopyable>: ~Copyable {
  private var base: UnsafeMutablePointer<Element>?
  /// Elements that fit without another allocation.
  public private(set) var capacity: Int
  /// Elements in use, at most `capacity`.
  public var count: Int {
    didSet { precondition(count >= 0 && count <= capacity, "count lies within the capacity") }
  }

  public init() {
    base = nil
    capacity = 0
    count = 0
  }

  deinit { wpl_free(base) }

  /// The first element. Not to be read or written while `capacity` is 0.
  public var start: UnsafeMutablePointer<Element> {
    @inline(__always) get {
      base ?? UnsafeMutablePointer(bitPattern: MemoryLayout<Element>.alignment).unsafelyUnwrapped
    }
  }

  /// Makes room for `wanted` elements in all; those in use stay.
  ///
  /// - Throws: `noMemory`; nothing has changed then.
  public mutating func reserve(_ wanted: Int) throws(WorkpoolError) {
    guard wanted > capacity else { return }
    let (doubled, overflow) = capacity.multipliedReportingOverflow(by: 2)
    let elements = overflow ? wanted : max(wanted, doubled, 64)
    let (size, tooLarge) = elements.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard !tooLarge, let memory = wpl_reallocate(base, size) else {
      throw WorkpoolError(.noMemory, "out of memory for " + String(wanted) + " elements")
    }
    base = memory.assumingMemoryBound(to: Element.self)
    capacity = elements
  }

  /// Makes `elements` the number in use; the content of new ones is undefined.
  public mutating func resize(_ elements: Int) throws(WorkpoolError) {
    try reserve(elements)
    count = elements
  }

  /// Takes over memory that came from `wpl_allocate` or `wpl_reallocate`; frees its own.
  public mutating func adopt(
    _ memory: UnsafeMutablePointer<Element>?, count: Int, capacity: Int
  ) {
    precondition(count >= 0 && count <= capacity, "count lies within the capacity")
    wpl_free(base)
    base = memory
    self.capacity = capacity
    self.count = count
  }

  /// Gives the memory away, to be freed with `wpl_free`; none is left.
  public mutating func giveAway() -> (
    memory: UnsafeMutablePointer<Element>?, count: Int, capacity: Int
  ) {
    let given = (base, count, capacity)
    base = nil
    capacity = 0
    count = 0
    return given
  }
}

extension GrowableMemory where Element == UInt8 {
  /// Puts `size` bytes behind those in use. They must not lie in this memory.
  public mutating func append(_ bytes: UnsafePointer<UInt8>, _ size: Int) throws(WorkpoolError) {
    let end = count
    try resize(end + size)
    if size > 0 { memcpy(start + end, bytes, size) }
  }
}
