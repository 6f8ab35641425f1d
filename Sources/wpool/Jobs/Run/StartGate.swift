// SPDX-License-Identifier: MIT
import Glibc

/// Whether the machine has room for another job: starts wait, and nothing that runs is touched.
struct StartGate {
  /// Between two looks while starts wait, in nanoseconds.
  static let interval: Int64 = 500_000_000

  /// Bytes that must be available; 0: any.
  var memory: UInt64 = 0
  /// Most processes that want a processor, over the last minute; nil: any.
  var load: Double?

  var isNeeded: Bool { memory > 0 || load != nil }

  var isOpen: Bool {
    if memory > 0, let available = Self.availableMemory, available < memory { return false }
    if let load {
      var average = 0.0
      if getloadavg(&average, 1) == 1, average >= load { return false }
    }
    return true
  }

  /// nil where the system does not tell.
  private static var availableMemory: UInt64? {
    guard let bytes = try? WholeFile.read("/proc/meminfo") else { return nil }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("MemAvailable:") {
      return UInt64(line.filter { $0.isNumber }).map { $0 * 1024 }
    }
    return nil
  }
}
