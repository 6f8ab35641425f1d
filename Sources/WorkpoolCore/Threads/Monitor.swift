// SPDX-License-Identifier: MIT
import CPlatform

/// A lock with one condition, at a fixed address. Freed by `destroy`, not by going out of scope:
/// it is shared between threads whose last one says when.
///
/// Waiting is always in a loop around a predicate: a wait may return early.
public struct Monitor: @unchecked Sendable {
  private let monitor: OpaquePointer

  public init() throws(WorkpoolError) {
    guard let monitor = wpl_monitor_create() else {
      throw WorkpoolError(.noMemory, "no memory for a lock")
    }
    self.monitor = monitor
  }

  public func destroy() { wpl_monitor_destroy(monitor) }
  public func lock() { wpl_monitor_lock(monitor) }
  public func unlock() { wpl_monitor_unlock(monitor) }

  /// With the lock held: gives it up until woken.
  public func wait() { _ = wpl_monitor_wait(monitor, -1) }

  /// As `wait`, but not beyond `deadline` (in `Clock.now` time).
  /// - Returns: false when the time is over.
  public func wait(until deadline: Int64) -> Bool { wpl_monitor_wait(monitor, deadline) != 0 }

  public func wakeAll() { wpl_monitor_wake_all(monitor) }
  public func wakeOne() { wpl_monitor_wake_one(monitor) }
}

public enum Clock {
  /// Monotonic nanoseconds.
  @inline(__always) public static var now: Int64 { wpl_now() }

  /// The point in time that lies `timeout` nanoseconds ahead; nil for a negative timeout: never.
  public static func deadline(after timeout: Int64) -> Int64? {
    guard timeout >= 0 else { return nil }
    let (sum, overflow) = wpl_now().addingReportingOverflow(timeout)
    return overflow ? nil : sum
  }
}
