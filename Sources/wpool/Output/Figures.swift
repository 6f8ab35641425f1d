// SPDX-License-Identifier: MIT

/// Numbers for people.
enum Figures {
  /// `1,234,567`
  static func grouped(_ number: some BinaryInteger) -> String {
    let digits = Array(String(number))
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && digit != "-" && digits[index - 1] != "-" && (digits.count - index) % 3 == 0 {
        text += ","
      }
      text.append(digit)
    }
    return text
  }

  /// With so many digits behind the point.
  static func fixed(_ number: Double, _ digits: Int) -> String {
    guard number.isFinite, abs(number) < 1e15 else { return "–" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(number) * scale).rounded())
    let whole = String(scaled / Int(scale))
    let sign = number < 0 && scaled > 0 ? "-" : ""
    if digits == 0 { return sign + whole }
    let rest = String(scaled % Int(scale))
    return sign + whole + "." + String(repeating: "0", count: digits - rest.count) + rest
  }

  /// `1.23 GB`, in powers of 1000.
  static func bytes(_ count: UInt64) -> String {
    scaled(Double(count), ["B", "kB", "MB", "GB", "TB"])
  }

  /// `12.3 M`
  static func count(_ number: UInt64) -> String {
    number < 10_000 ? String(number) : scaled(Double(number), ["", "k", "M", "G", "T"])
  }

  static func percent(_ part: Double, of whole: Double) -> String {
    whole > 0 ? fixed(100 * part / whole, 1) + " %" : "–"
  }

  static func seconds(_ nanoseconds: UInt64) -> String {
    fixed(Double(nanoseconds) / 1e9, 3) + " s"
  }

  /// `45 ns`, `6.78 µs`, `1.23 s`: three digits.
  static func duration(_ nanoseconds: UInt64) -> String {
    nanoseconds == 0 ? "0" : scaled(Double(nanoseconds), ["ns", "µs", "ms", "s", "ks"])
  }

  /// `0:07`, `12:34`, `1:02:03`
  static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "–" }
    let total = Int(seconds.rounded(.up))
    func two(_ number: Int) -> String { number < 10 ? "0" + String(number) : String(number) }
    let (minutes, rest) = (total / 60, total % 60)
    return minutes < 60
      ? String(minutes) + ":" + two(rest)
      : String(minutes / 60) + ":" + two(minutes % 60) + ":" + two(rest)
  }

  private static func scaled(_ number: Double, _ units: [String]) -> String {
    var value = number
    var unit = 0
    while value >= 999.5 && unit + 1 < units.count {
      value /= 1000
      unit += 1
    }
    let digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
    return fixed(value, digits) + (units[unit].isEmpty ? "" : " " + units[unit])
  }
}
