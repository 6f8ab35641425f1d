// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Holds threads until it is opened, or until so many have come. Waiting longer than
/// `TestScale.patienceNanoseconds` means that something is stuck and ends the process.
public final class Gate: @unchecked Sendable {
  private let monitor: Monitor
  private let opensAt: Int
  private var arrived = 0
  private var isOpenNow = false

  /// - Parameter opensAt: opens by itself when that many threads wait.
  public init(opensAt: Int = .max) {
    self.opensAt = opensAt
    monitor = try! Monitor()  // a test without memory for a lock has nothing to say
  }

  deinit { monitor.destroy() }

  public func open() {
    monitor.lock()
    isOpenNow = true
    monitor.wakeAll()
    monitor.unlock()
  }

  /// How many threads have come so far.
  public var arrivals: Int {
    monitor.lock()
    defer { monitor.unlock() }
    return arrived
  }

  /// Waits until the gate is open.
  public func pass(_ what: String = "") {
    monitor.lock()
    arrived += 1
    if arrived >= opensAt { isOpenNow = true }
    monitor.wakeAll()
    waitUntil(what) { isOpenNow }
    monitor.unlock()
  }

  /// Waits until `count` threads have come to the gate.
  public func waitForArrivals(_ count: Int, _ what: String = "") {
    monitor.lock()
    waitUntil(what) { arrived >= count }
    monitor.unlock()
  }

  private func waitUntil(_ what: String, _ isTrue: () -> Bool) {
    let isInTime = TestScale.withPatience { deadline in
      while !isTrue() {
        if !monitor.wait(until: deadline) { return isTrue() }
      }
      return true
    }
    if !isInTime { fatalError("stuck at a gate for too long: \(what)") }
  }
}
