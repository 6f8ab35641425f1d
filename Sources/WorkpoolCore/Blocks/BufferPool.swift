// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// A fixed number of recycled buffers; the last one given back is the next one taken, so that few
/// of them are ever used when few blocks are in flight.
///
/// The free buffers are a stack (R. K. Treiber, 1986) whose head carries a counter against reuse:
/// index + 1 in the low half, the counter in the high half.
public struct BufferPool: @unchecked Sendable {
  struct Buffer: ~Copyable {
    var data: UnsafeMutablePointer<UInt8>?
    var capacity = 0
    let next = Atomic<UInt32>(0)
  }

  private let head: UnsafeMutablePointer<Atomic<UInt64>>
  private let total: UnsafeMutablePointer<Atomic<Int>>
  private let buffers: UnsafeMutablePointer<Buffer>
  private let count: Int

  /// The list lies in `arena`; the buffers themselves are freed by `destroy`.
  public init(count: Int, in arena: Arena) throws(WorkpoolError) {
    self.count = count
    head = try arena.allocate(Atomic<UInt64>.self, count: 1)
    head.initialize(to: Atomic(1))
    total = try arena.allocate(Atomic<Int>.self, count: 1)
    total.initialize(to: Atomic(0))
    buffers = try arena.allocate(Buffer.self, count: count)
    for index in 0..<count {
      (buffers + index).initialize(to: Buffer())
      let next = index + 1 < count ? UInt32(index + 2) : 0
      buffers[index].next.store(next, ordering: .relaxed)
    }
  }

  public func destroy() {
    for index in 0..<count { wpl_free(buffers[index].data) }
  }

  /// Takes a buffer of at least `capacity` bytes; its content is undefined.
  /// - Returns: its index; nil when memory or buffers have run out.
  public func take(capacity: Int) -> Int32? {
    var old = head.pointee.load(ordering: .acquiring)  // pairs with give
    while true {
      let index = Int(old & 0xffff_ffff) - 1
      guard index >= 0 else { return nil }
      let next = UInt64(buffers[index].next.load(ordering: .relaxed))
      let (done, now) = head.pointee.compareExchange(
        expected: old, desired: (old & ~0xffff_ffff) &+ (1 << 32) | next,
        ordering: .acquiringAndReleasing)
      if done {
        guard grow(Int32(index), to: capacity, keeping: 0) else {
          give(Int32(index))
          return nil
        }
        return Int32(index)
      }
      old = now
    }
  }

  /// Gives a buffer back.
  public func give(_ index: Int32) {
    var old = head.pointee.load(ordering: .relaxed)
    while true {
      buffers[Int(index)].next.store(UInt32(old & 0xffff_ffff), ordering: .relaxed)
      let (done, now) = head.pointee.compareExchange(
        expected: old, desired: (old & ~0xffff_ffff) &+ (1 << 32) | UInt64(index + 1),
        ordering: .releasing)  // pairs with take
      if done { return }
      old = now
    }
  }

  public func data(_ index: Int32) -> UnsafeMutablePointer<UInt8>? { buffers[Int(index)].data }
  public func capacity(_ index: Int32) -> Int { buffers[Int(index)].capacity }

  /// Makes room for `capacity` bytes in a buffer that the caller holds.
  /// - Returns: false without memory; the buffer is then unchanged.
  public func grow(_ index: Int32, to capacity: Int, keeping kept: Int) -> Bool {
    let buffer = buffers + Int(index)
    guard capacity > buffer.pointee.capacity else { return true }
    // Whole pages, and a little more than asked, so that blocks of about one size settle soon.
    let (roomy, overflow) = capacity.addingReportingOverflow(capacity / 8 + 4095)
    guard !overflow else { return false }
    let size = roomy & ~4095
    guard let memory = wpl_allocate(size) else { return false }
    let data = memory.assumingMemoryBound(to: UInt8.self)
    if kept > 0, let old = buffer.pointee.data { data.update(from: old, count: kept) }
    wpl_free(buffer.pointee.data)
    total.pointee.wrappingAdd(size - buffer.pointee.capacity, ordering: .relaxed)
    buffer.pointee.data = data
    buffer.pointee.capacity = size
    return true
  }

  /// Exchanges the memory of a buffer with that of one of another pool; the caller holds both.
  public func exchange(_ index: Int32, with other: BufferPool, _ otherIndex: Int32) {
    let (one, two) = (buffers + Int(index), other.buffers + Int(otherIndex))
    swap(&one.pointee.data, &two.pointee.data)
    swap(&one.pointee.capacity, &two.pointee.capacity)
    let grown = one.pointee.capacity - two.pointee.capacity
    total.pointee.wrappingAdd(grown, ordering: .relaxed)
    other.total.pointee.wrappingSubtract(grown, ordering: .relaxed)
  }

  /// Bytes allocated for buffers; the list is in the arena.
  public var bytes: Int { total.pointee.load(ordering: .relaxed) }
}
