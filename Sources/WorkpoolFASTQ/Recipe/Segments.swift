// SPDX-License-Identifier: MIT

/// Names of the files of a read set, in the order that counts.
enum Segments {
  /// By name, byte by byte; interleaved ones stay as listed.
  static func ordered(_ names: [String], isInterleaved: Bool) -> [String] {
    isInterleaved ? names : names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// What is wrong with the names.
  static func problems(_ names: [String], isInterleaved: Bool) -> [String] {
    var problems: [String] = []
    if names.isEmpty { problems.append("there is no segment") }
    if isInterleaved && names.count == 1 {
      problems.append("interleaved input needs at least two segments")
    }
    for (index, name) in names.enumerated() {
      if !isIdentifier(name) {
        problems.append(
          "segment \"" + name + "\": a name is letters, digits and _, and no digit first")
      } else if isSameName(name, "all") || name.utf8.starts(with: "_internal_".utf8) {
        problems.append("segment \"" + name + "\": the name is reserved")
      }
      if names[..<index].contains(name) {
        problems.append("segment \"" + name + "\" is there twice")
      }
    }
    return problems
  }
}

/// Whether `name` is `[A-Za-z_][A-Za-z0-9_]*`.
func isIdentifier(_ name: String) -> Bool {
  var isFirst = true
  for byte in name.utf8 {
    let isLetter = (byte | 32) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
    let isDigit = byte &- UInt8(ascii: "0") < 10
    guard isLetter || isDigit && !isFirst else { return false }
    isFirst = false
  }
  return !isFirst
}
