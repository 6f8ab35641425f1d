// SPDX-License-Identifier: MIT
import CPlatform
import Glibc

/// What one piece of work has cost, again and again.
struct Measurement {
  private(set) var walls: [Double] = []
  private(set) var cpus: [Double] = []

  /// Of this process and of the children that have ended.
  mutating func measure<Failed: Error, Result>(
    _ work: () throws(Failed) -> Result
  ) throws(Failed) -> Result {
    let began = (wall: wpl_now(), cpu: Self.cpuSeconds)
    let result = try work()
    walls.append(Double(wpl_now() - began.wall) / 1e9)
    cpus.append(Self.cpuSeconds - began.cpu)
    return result
  }

  var wall: Double { Self.median(walls) }
  var cpu: Double { Self.median(cpus) }
  /// Between the fastest and the slowest round, as a share of the median.
  var spread: Double { ((walls.max() ?? 0) - (walls.min() ?? 0)) / wall }

  private static func median(_ numbers: [Double]) -> Double {
    let sorted = numbers.sorted()
    guard !sorted.isEmpty else { return .nan }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }

  private static var cpuSeconds: Double {
    RunClock.cpuSeconds(RUSAGE_SELF) + RunClock.cpuSeconds(RUSAGE_CHILDREN)
  }
}
