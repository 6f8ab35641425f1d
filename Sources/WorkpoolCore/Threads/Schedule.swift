// SPDX-License-Identifier: MIT
import CPlatform

/// A step whose moment matters beside those of other threads: right before an atomic operation or a
/// lock. In debug builds a seed may hold the thread up here (`wpl_schedule`); in others this is nothing.
@inlinable @inline(__always)
public func schedulePoint() {
  #if DEBUG
    wpl_schedule_point()
  #endif
}
