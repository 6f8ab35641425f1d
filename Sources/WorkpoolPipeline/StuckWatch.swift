// SPDX-License-Identifier: MIT

/// Whether something has stopped moving although it has work. Pure: whoever looks says what time it is.
package struct StuckWatch {
  private let patience: Int64
  private var movement: UInt64?
  private var since: Int64 = 0
  private var hasReported = false

  /// - Parameter patience: nanoseconds without movement that are too long.
  package init(patience: Int64) { self.patience = patience }

  /// How often to look, so that little is added to the patience.
  package static func interval(for patience: Int64) -> Int64 { max(1_000_000, patience / 4) }

  /// - Parameter movement: changes whenever something moves.
  /// - Returns: whether it is stuck; once.
  package mutating func look(_ now: Int64, movement: UInt64, hasWork: Bool) -> Bool {
    if !hasWork || movement != self.movement {
      self.movement = movement
      since = now
      return false
    }
    guard !hasReported, now &- since >= patience else { return false }
    hasReported = true
    return true
  }
}
