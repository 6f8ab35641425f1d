// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore

@Suite struct TokenListenersTests {
  /// How often it was called.
  private final class Calls: Sendable {
    let count = Atomic<Int>(0)
    func add() { count.add(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
  }

  @Test("a function is called once, by a cancel of the token or of one above it, or at once")
  func calls() throws {
    let parent = try Token()
    let child = try Token(parent: parent)
    let calls = Calls()
    child.onCancel { calls.add() }
    #expect(calls.value == 0)
    parent.cancel()
    parent.cancel()
    child.cancel()
    #expect(calls.value == 1)
    child.onCancel { calls.add() }
    #expect(calls.value == 2)
  }

  @Test("a wait ends with the cancel of an ancestor, or with its time")
  func wait() throws {
    let parent = try Token()
    let child = try Token(parent: parent)
    #expect(try !child.wait(timeout: 0))
    #expect(try !child.wait(timeout: 1))
    parent.cancel()
    #expect(try child.wait(timeout: -1))
  }

  @Test("a mark by a signal handler is seen by who waits")
  func mark() throws {
    let token = try Token()
    token.mark(.user)
    #expect(try token.wait(timeout: -1))
  }

  @Test("after a reset everything is as before; used by a child it cannot be reset")
  func reset() throws {
    let token = try Token()
    let calls = Calls()
    token.onCancel { calls.add() }
    let descriptor = try token.descriptor()
    #expect(try token.descriptor() == descriptor)
    for round in 1...3 {
      token.cancel()
      #expect(token.isCancelled && calls.value == round)
      try token.reset()
      #expect(!token.isCancelled)
      #expect(try !token.wait(timeout: 0))
    }
    let child = try Token(parent: token)
    #expect(throws: WorkpoolError.self) { try token.reset() }
    withExtendedLifetime(child) {}
  }
}
