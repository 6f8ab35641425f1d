// SPDX-License-Identifier: MIT

extension ChaCha20 {
  /// A number of `low...high`, each as likely as the others but for 1 in 2⁶⁴: a multiplication instead of
  /// a division, and a second word only where the first one leaves it open (Lemire, "Fast random
  /// integer generation in an interval", ACM TOMACS 29:3, 2019).
  mutating func uniform(_ low: UInt64, _ high: UInt64) -> UInt64 {
    let (range, overflow) = (high - low).addingReportingOverflow(1)
    if overflow { return next64() }
    if range <= UInt64(UInt32.max) {
      let (m, word) = (UInt64(next32()) &* range, UInt64(1) << 32)
      var result = m >> 32
      let rest = m & (word - 1)
      if rest > word - range {
        let more = (UInt64(next32()) &* range) >> 32
        if rest + more >= word { result += 1 }
      }
      return low &+ result
    }
    let m = next64().multipliedFullWidth(by: range)
    var result = m.high
    if m.low > 0 &- range {
      let more = next64().multipliedFullWidth(by: range).high
      if m.low.addingReportingOverflow(more).overflow { result += 1 }
    }
    return low &+ result
  }
}
