// SPDX-License-Identifier: MIT
import CPlatform

/// Names of runs and of files in them.
public enum RunName {
  private static let digits: StaticString = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
  /// Bytes of a name made of an id.
  private static let mostBytes = 120

  /// A ULID: 48 bits of time, then 80 bits of chance, five bits a letter; later ones sort behind.
  public static func ulid(milliseconds: UInt64, random: [UInt8]) -> String {
    var bits: [UInt8] = []
    for shift in [40, 32, 24, 16, 8, 0] as [UInt64] {
      bits.append(UInt8(truncatingIfNeeded: milliseconds >> shift))
    }
    bits += random.prefix(10)
    // 128 bits behind two zeros: 26 letters.
    var text: [UInt8] = []
    for letter in 0..<26 {
      var value = 0
      for bit in (letter * 5 - 2)..<(letter * 5 + 3) {
        let one = bit >= 0 && bits[bit / 8] >> UInt8(7 - bit % 8) & 1 == 1
        value = value * 2 + (one ? 1 : 0)
      }
      text.append(digits.utf8Start[value])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Of this moment.
  public static func ulid() -> String {
    var random = [UInt8](repeating: 0, count: 10)
    _ = random.withUnsafeMutableBytes { wpl_random($0.baseAddress, $0.count) }
    return ulid(milliseconds: UInt64(max(0, wpl_wall_time() / 1_000_000)), random: random)
  }

  public static func isULID(_ text: String) -> Bool {
    guard text.utf8.count == 26 else { return false }
    for byte in text.utf8 {
      var isDigit = false
      for index in 0..<32 where digits.utf8Start[index] == byte { isDigit = true }
      if !isDigit { return false }
    }
    return true
  }

  /// A name of a file for an id: letters, digits, `.`, `_` and `-`. An id that is something else gets a
  /// check of its bytes behind it, so that `a/b` and `a_b` stay apart.
  public static func fileName(_ id: String) -> String {
    var name: [UInt8] = []
    var isChanged = false
    for byte in id.utf8 {
      let letter = byte | 32
      if byte &- 48 < 10 || letter &- 97 < 26 || byte == 46 || byte == 95 || byte == 45 {
        name.append(byte)
      } else {
        name.append(95)
        isChanged = true
      }
    }
    // No hidden file, and no name of a folder.
    if name.first == 46 || name.isEmpty { isChanged = true }
    if name.count > mostBytes { isChanged = true }
    guard isChanged else { return id }
    var short = Array(name.prefix(mostBytes - 9))
    if short.first == 46 { short[0] = 95 }
    short.append(45)
    Checksum.write(Checksum.crc32(Array(id.utf8)[...]), to: &short)
    return String(decoding: short, as: UTF8.self)
  }

  /// `2026-11-26T21:04:49.123Z`
  public static func isoTime(_ wallTime: Int64) -> String {
    let milliseconds = Int(wallTime / 1_000_000)
    let (days, ofDay) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
    // Howard Hinnant's days to civil, for days from 1970 on.
    let z = days + 719_468
    let era = z / 146_097
    let doe = z - era * 146_097
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
    let mp = (5 * doy + 2) / 153
    let day = doy - (153 * mp + 2) / 5 + 1
    let month = mp < 10 ? mp + 3 : mp - 9
    let year = yoe + era * 400 + (month <= 2 ? 1 : 0)
    func two(_ number: Int) -> String { number < 10 ? "0" + String(number) : String(number) }
    let fraction = ofDay % 1000
    let digits = fraction < 10 ? "00" : fraction < 100 ? "0" : ""
    let seconds = ofDay / 1000
    return String(year) + "-" + two(month) + "-" + two(day) + "T" + two(seconds / 3600) + ":"
      + two(seconds / 60 % 60) + ":" + two(seconds % 60) + "." + digits + String(fraction) + "Z"
  }
}
