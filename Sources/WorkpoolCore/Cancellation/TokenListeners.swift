// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// Who wants to know of a cancel besides runs and child tokens: threads that wait, functions, poll loops.
/// They do not keep a token from being destroyed.
extension Token {
  /// Waits until the token is cancelled.
  /// - Parameter timeout: nanoseconds; 0: only looks, negative: for ever.
  /// - Returns: false when the time is over.
  public func wait(timeout: Int64) throws(WorkpoolError) -> Bool {
    let deadline = Clock.deadline(after: timeout)
    if isCancelled || timeout == 0 { return isCancelled }
    let waiter = TokenWaiter(try Monitor())
    let context = Unmanaged.passUnretained(waiter).toOpaque()
    observe(context) { context in
      Unmanaged<TokenWaiter>.fromOpaque(context).takeUnretainedValue().open()
    }
    let isOpen = waiter.wait(until: deadline) { self.isCancelled }
    forget(context)
    return isOpen || isCancelled
  }
}

/// A thread that waits for a token.
private final class TokenWaiter {
  /// A signal handler wakes nobody.
  private static let look: Int64 = 100_000_000

  private let monitor: Monitor
  private var isOpen = false

  init(_ monitor: Monitor) { self.monitor = monitor }
  deinit { monitor.destroy() }

  func open() {
    monitor.lock()
    isOpen = true
    monitor.wakeAll()
    monitor.unlock()
  }

  func wait(until deadline: Int64?, _ isMarked: () -> Bool) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    while !isOpen && !isMarked() {
      let now = Clock.now
      if let deadline, now >= deadline { return false }
      _ = monitor.wait(until: min(deadline ?? .max, now + Self.look))
    }
    return true
  }
}

/// Functions that are called when a token is cancelled, and its descriptor.
final class TokenListeners {
  private struct Listener {
    let call: () -> Void
    var isTold: Bool
  }

  // Under the token's lock.
  private var listeners: [Listener] = []
  private(set) var descriptor: Int32 = -1

  deinit { if descriptor >= 0 { _ = wpl_file_close(descriptor) } }

  /// - Returns: the functions that are to be called now.
  func takeUntold() -> [() -> Void] {
    var untold: [() -> Void] = []
    for index in listeners.indices where !listeners[index].isTold {
      listeners[index].isTold = true
      untold.append(listeners[index].call)
    }
    if descriptor >= 0 { wpl_call(descriptor) }
    return untold
  }

  func add(isTold: Bool, _ call: @escaping () -> Void) {
    listeners.append(Listener(call: call, isTold: isTold))
  }

  func openDescriptor() -> Int32 {
    if descriptor < 0 { descriptor = wpl_call_create() }
    return descriptor
  }

  func reset() {
    for index in listeners.indices { listeners[index].isTold = false }
    if descriptor >= 0 { wpl_call_take(descriptor) }
  }
}
