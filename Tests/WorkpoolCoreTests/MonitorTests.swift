// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@Suite struct MonitorTests {
  @Test("a deadline lies ahead, and never is none")
  func deadlines() throws {
    #expect(Clock.deadline(after: -1) == nil && Clock.deadline(after: .min) == nil)
    #expect(Clock.deadline(after: .max) == nil)
    let now = Clock.now
    #expect(try #require(Clock.deadline(after: 0)) >= now)
    #expect(try #require(Clock.deadline(after: 1_000_000)) >= now + 1_000_000)
  }

  @Test("a wait ends with its time or with a wake")
  func waiting() throws {
    let monitor = try Monitor()
    monitor.lock()
    while monitor.wait(until: Clock.now + 1000) {}
    while monitor.wait(until: 0) {}
    monitor.unlock()
    nonisolated(unsafe) let turn = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    turn.initialize(to: 0)
    let rounds = TestScale.scaled(2000)
    Threads(3) { thread in
      for _ in 0..<rounds {
        monitor.lock()
        while turn.pointee % 3 != thread { monitor.wait() }
        turn.pointee += 1
        monitor.wakeAll()
        monitor.unlock()
      }
    }.join()
    #expect(turn.pointee == 3 * rounds)
    turn.deallocate()
    monitor.destroy()
  }

  @Test("no memory for a monitor is an error")
  func noMemory() {
    wpl_fail_own_allocation_after(0)
    defer { wpl_fail_own_allocation_after(-1) }
    #expect(throws: WorkpoolError.self) { _ = try Monitor() }
  }
}
