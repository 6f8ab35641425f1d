// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// Puts one thread to sleep until another one signals; a signal that comes first is not lost.
///
/// The word is 0 (nothing), or 1 (signalled). Only the owner sleeps; it takes the signal by an
/// exchange, so what the signaller wrote before is visible to it.
public struct Parker: ~Copyable {
  private let word = Atomic<UInt32>(0)

  public init() {}

  /// Sleeps until signalled, or until `deadline` if that is not negative.
  /// - Returns: false when the time was over first.
  static func park(_ parker: UnsafeMutablePointer<Parker>, until deadline: Int64) -> Bool {
    while parker.pointee.word.exchange(0, ordering: .acquiring) == 0 {  // pairs with signal
      if deadline >= 0 && Clock.now >= deadline { return false }
      wpl_futex_wait(parker, 0, deadline)
    }
    return true
  }

  static func signal(_ parker: UnsafeMutablePointer<Parker>) {
    if parker.pointee.word.exchange(1, ordering: .releasing) == 0 {  // pairs with park
      wpl_futex_wake_one(parker)
    }
  }
}
