// SPDX-License-Identifier: MIT

/// Whether two names are one: letter case, `_` and `-` do not count.
func isSameName(_ one: String, _ other: String) -> Bool { plainName(one) == plainName(other) }

/// The name that `word` most likely stands for: at the smallest edit distance, if that is at most
/// a third of its length; the earlier one of equals.
func nearestName(to word: String, among names: [String]) -> String? {
  let plain = plainName(word)
  guard plain.count <= 100 else { return nil }
  var best: (name: String, distance: Int)?
  for name in names {
    let distance = editDistance(plain, plainName(name))
    if distance * 3 <= plain.count, distance < best?.distance ?? Int.max { best = (name, distance) }
  }
  return best?.name
}

/// `; nearest: "right"`, or nothing.
func nearestHint(to word: String, among names: [String]) -> String {
  nearestName(to: word, among: names).map { "; nearest: \"" + $0 + "\"" } ?? ""
}

/// The bytes that count.
private func plainName(_ name: String) -> [UInt8] {
  var plain: [UInt8] = []
  for byte in name.utf8 where byte != UInt8(ascii: "_") && byte != UInt8(ascii: "-") {
    plain.append(byte &- UInt8(ascii: "A") < 26 ? byte | 32 : byte)
  }
  return plain
}

/// Letters to insert, drop, replace, or exchange with their neighbour, each letter touched once
/// (optimal string alignment).
func editDistance(_ one: [UInt8], _ other: [UInt8]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...other.count)
  for row in 0..<one.count {
    var current = [row + 1]
    for column in 0..<other.count {
      let same = one[row] == other[column]
      var best = min(last[column] + (same ? 0 : 1), last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, one[row] == other[column - 1], one[row - 1] == other[column] {
        best = min(best, beforeLast[column - 1] + 1)
      }
      current.append(best)
    }
    beforeLast = last
    last = current
  }
  return last[other.count]
}

/// How names in configurations are compared, for who reads them.
public enum Spelling {
  /// Whether two names are one: letter case, `_` and `-` do not count.
  public static func isSame(_ one: String, _ other: String) -> Bool { isSameName(one, other) }

  /// `; nearest: "right"`, or nothing.
  public static func hint(_ word: String, among names: [String]) -> String {
    nearestHint(to: word, among: names)
  }

  /// Whether `name` is letters, digits and `_`, and no digit first.
  public static func isIdentifier(_ name: String) -> Bool { WorkpoolFASTQ.isIdentifier(name) }
}
