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
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    let cpu =
      Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
      + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    return Times(
      start: startText, wallSeconds: Double(wpl_now() - began) / 1e9, cpuSeconds: cpu)
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
