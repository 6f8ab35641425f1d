// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct GrowableMemoryTests {
  @Test("elements stay when memory grows, and sizes beyond any memory are an error")
  func grows() throws {
    var memory = GrowableMemory<Int>()
    for index in 0..<1000 {
      try memory.resize(index + 1)
      memory.start[index] = index
    }
    #expect((0..<1000).allSatisfy { memory.start[$0] == $0 })
    #expect(throws: WorkpoolError.self) { try memory.reserve(Int.max) }
    #expect(memory.count == 1000 && memory.start[999] == 999)
  }

  @Test("memory changes its owner")
  func given() throws {
    var one = GrowableMemory<UInt8>()
    try one.append([1, 2, 3], 3)
    let (memory, count, capacity) = one.giveAway()
    #expect(one.count == 0 && one.capacity == 0)
    var other = GrowableMemory<UInt8>()
    try other.append([9], 1)
    other.adopt(memory, count: count, capacity: capacity)
    try other.append([4], 1)
    #expect(Array(UnsafeBufferPointer(start: other.start, count: other.count)) == [1, 2, 3, 4])
  }
}
