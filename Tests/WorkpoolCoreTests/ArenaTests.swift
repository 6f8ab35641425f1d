// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore

@Suite struct ArenaTests {
  @Test("pieces lie on cache lines of their own and hold what was asked for")
  func pieces() throws {
    let arena = Arena()
    let first = try arena.allocate(UInt64.self, count: 3)
    let second = try arena.allocate(UInt8.self, count: 1)
    #expect(UInt(bitPattern: first) % 128 == 0 && UInt(bitPattern: second) % 128 == 0)
    first.initialize(repeating: 7, count: 3)
    second.initialize(to: 9)
    #expect(first[2] == 7)
    _ = try arena.allocate(UInt64.self, count: 0)
  }

  @Test("a size that no machine has is an error")
  func absurdSizes() {
    let arena = Arena()
    for count in [Int.max, Int.max / 8, Int.max / 8 - 16, Int.max / 8 - 20] {
      #expect(throws: WorkpoolError.self) { _ = try arena.allocate(UInt64.self, count: count) }
    }
  }

  @Test("a failed allocation is an error")
  func noMemory() {
    let arena = Arena()
    wpl_fail_own_allocation_after(0)
    defer { wpl_fail_own_allocation_after(-1) }
    #expect(throws: WorkpoolError.self) { _ = try arena.allocate(UInt8.self, count: 1) }
  }
}
