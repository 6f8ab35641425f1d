// SPDX-License-Identifier: MIT
import CPlatform
import Glibc

/// When a run began, and what it has cost.
struct RunClock {
  struct Times {
    /// UTC, as `2026-01-31T12:00:00Z`.
    var start: String
    var wallSeconds: Double
    var cpuSeconds: Double
  }

  private let began = wpl_now()
  private let startTime = time(nil)

  var times: Times {
    Times(
      start: startText, wallSeconds: Double(wpl_now() - began) / 1e9,
      cpuSeconds: Self.cpuSeconds(RUSAGE_SELF))
  }

  /// Of this process, or of its children that have ended.
  static func cpuSeconds(_ who: __rusage_who) -> Double {
    var usage = rusage()
    getrusage(Int32(who.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
      + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
  }

  private var startText: String {
    var moment = startTime
    var parts = tm()
    gmtime_r(&moment, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
      strftime(text.baseAddress!, 32, "%Y-%m-%dT%H:%M:%SZ", &parts)
      return String(cString: text.baseAddress!)
    }
  }
}
