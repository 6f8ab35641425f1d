// SPDX-License-Identifier: MIT
import CPlatform
import Workpool

/// SIGINT and SIGTERM: the first one cancels a token, the second one ends the process.
enum Interrupts {
  /// From now on, for good.
  static func cancel(_ token: Token) {
    _ = Unmanaged.passRetained(token)  // the handler may run until the process ends
    token.word.withMemoryRebound(to: UInt32.self, capacity: 1) {
      wpl_signals_catch($0, CancelReason.user.rawValue)
    }
  }

  /// The signal that came, if one did.
  static var caught: Int32? {
    let number = wpl_signal_caught()
    return number == 0 ? nil : number
  }
}
