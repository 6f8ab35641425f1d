// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@Suite struct BufferPoolTests {
  @Test("the buffer given back last is taken first, and no more than there are")
  func order() throws {
    let arena = Arena()
    let buffers = try BufferPool(count: 3, in: arena)
    #expect(buffers.bytes == 0)
    let first = try #require(buffers.take(capacity: 100))
    let second = try #require(buffers.take(capacity: 0))
    let third = try #require(buffers.take(capacity: 5000))
    #expect(buffers.take(capacity: 1) == nil)
    #expect(Set([first, second, third]).count == 3)
    #expect(buffers.capacity(first) >= 100 && buffers.capacity(third) >= 5000)
    #expect(buffers.data(first) != nil)
    buffers.give(second)
    buffers.give(first)
    #expect(buffers.take(capacity: 10) == first)
    #expect(buffers.take(capacity: 10) == second)
    #expect(buffers.bytes > 5100)
    buffers.destroy()
    withExtendedLifetime(arena) {}
  }

  @Test("growing keeps what is asked to be kept, and a refusal changes nothing")
  func growing() throws {
    let arena = Arena()
    let buffers = try BufferPool(count: 1, in: arena)
    let index = try #require(buffers.take(capacity: 10))
    let data = try #require(buffers.data(index))
    for offset in 0..<10 { data[offset] = UInt8(offset) }
    #expect(buffers.grow(index, to: 1 << 16, keeping: 10))
    #expect((0..<10).allSatisfy { buffers.data(index)![$0] == UInt8($0) })
    let before = (buffers.data(index), buffers.capacity(index))
    wpl_fail_own_allocation_after(0)
    #expect(!buffers.grow(index, to: 1 << 20, keeping: 10))
    wpl_fail_own_allocation_after(-1)
    for absurd in [Int.max, Int.max - 4096, Int.max / 9 * 8] {
      #expect(!buffers.grow(index, to: absurd, keeping: 10))
    }
    #expect(before == (buffers.data(index), buffers.capacity(index)))
    buffers.give(index)
    wpl_fail_own_allocation_after(0)
    #expect(buffers.take(capacity: 1 << 20) == nil)
    wpl_fail_own_allocation_after(-1)
    #expect(buffers.take(capacity: 1 << 20) == index)
    buffers.destroy()
    withExtendedLifetime(arena) {}
  }

  @Test("threads that take and give never share a buffer")
  func hammer() throws {
    let arena = Arena()
    let count = 5
    let buffers = try BufferPool(count: count, in: arena)
    let rounds = TestScale.scaled(50_000)
    let faults = Tally()
    Threads(4) { thread in
      var random = SeededRandom(seed: UInt64(thread))
      var held: [Int32] = []
      for _ in 0..<rounds {
        if held.count < 2, random.chance(2) {
          guard let index = buffers.take(capacity: 16), let data = buffers.data(index) else {
            continue
          }
          data[0] = UInt8(thread)  // plain memory: the buffer must be this thread's alone
          held.append(index)
        } else if let index = held.popLast() {
          if buffers.data(index)?[0] != UInt8(thread) { faults.add() }
          buffers.give(index)
        }
      }
      for index in held { buffers.give(index) }
    }.join()
    #expect(faults.value == 0)
    var left = Set<Int32>()
    while let index = buffers.take(capacity: 1) { left.insert(index) }
    #expect(left.count == count)
    buffers.destroy()
    withExtendedLifetime(arena) {}
  }
}
