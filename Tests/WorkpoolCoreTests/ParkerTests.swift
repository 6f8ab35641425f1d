// SPDX-License-Identifier: MIT
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

@Suite struct ParkerTests {
  final class Box: @unchecked Sendable {
    let parker = UnsafeMutablePointer<Parker>.allocate(capacity: 1)
    init() { parker.initialize(to: Parker()) }
    deinit { parker.deallocate() }
  }

  @Test("a signal that comes first is not lost, and is taken once")
  func early() {
    let box = Box()
    Parker.signal(box.parker)
    Parker.signal(box.parker)
    #expect(Parker.park(box.parker, until: -1))
    #expect(!Parker.park(box.parker, until: Clock.now + 1000))
    #expect(!Parker.park(box.parker, until: 0))
  }

  @Test("two threads that signal each other see what the other wrote")
  func pingPong() {
    let (ping, pong) = (Box(), Box())
    let rounds = TestScale.scaled(20_000)
    nonisolated(unsafe) let counter = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    counter.initialize(to: 0)
    Threads(2) { thread in
      let (own, other) = thread == 0 ? (ping, pong) : (pong, ping)
      for _ in 0..<rounds {
        if thread == 0 { Parker.signal(other.parker) }
        let isSignalled = TestScale.withPatience { Parker.park(own.parker, until: $0) }
        guard isSignalled else { fatalError("a signal is lost") }
        counter.pointee += 1
        if thread == 1 { Parker.signal(other.parker) }
      }
    }.join()
    #expect(counter.pointee == 2 * rounds)
    counter.deallocate()
  }
}
