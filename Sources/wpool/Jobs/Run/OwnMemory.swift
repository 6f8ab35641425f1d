// SPDX-License-Identifier: MIT

/// The most memory that this process has had so far.
///
/// Linux counts it into the peak of each child, which has had it for a moment, before it became another
/// program (getrusage(2), `exec_mmap` in fs/exec.c): what is not more than this says nothing of the child.
struct OwnMemory {
  /// The kernel's counts are behind by some pages for each processor.
  private static let slack: Int64 = 1 << 20
  private var peak: Int64 = -1

  /// - Parameter bytes: the peak of a child that has ended.
  mutating func isLess(than bytes: Int64) -> Bool {
    if bytes <= peak + Self.slack { return false }
    // It may have grown meanwhile.
    peak = Self.now ?? 0
    return bytes > peak + Self.slack
  }

  private static var now: Int64? {
    guard let bytes = try? WholeFile.readAny("/proc/self/status") else { return nil }
    for line in bytes.split(separator: UInt8(ascii: "\n"))
    where line.starts(with: "VmHWM:".utf8) {
      let digits = line.filter { $0 &- 48 < 10 }
      return Int64(String(decoding: digits, as: UTF8.self)).map { $0 * 1024 }
    }
    return nil
  }
}
