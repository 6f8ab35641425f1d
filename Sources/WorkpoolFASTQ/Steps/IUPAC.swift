// SPDX-License-Identifier: MIT

/// The nucleotide codes (Cornish-Bowden, Nucleic Acids Res. 13:3021, 1985).
enum IUPAC {
  /// The bases that a code stands for, one bit each for A, C, G, T; 0 for what is no code. Either
  /// letter case.
  static func bases(of code: UInt8) -> UInt8 {
    switch code & 0xdf {
    case UInt8(ascii: "A"): 1
    case UInt8(ascii: "C"): 2
    case UInt8(ascii: "G"): 4
    case UInt8(ascii: "T"), UInt8(ascii: "U"): 8
    case UInt8(ascii: "R"): 5
    case UInt8(ascii: "Y"): 10
    case UInt8(ascii: "S"): 6
    case UInt8(ascii: "W"): 9
    case UInt8(ascii: "K"): 12
    case UInt8(ascii: "M"): 3
    case UInt8(ascii: "B"): 14
    case UInt8(ascii: "D"): 13
    case UInt8(ascii: "H"): 11
    case UInt8(ascii: "V"): 7
    case UInt8(ascii: "N"): 15
    default: 0
    }
  }

  static func isBase(_ letter: UInt8) -> Bool {
    switch letter {
    case UInt8(ascii: "A"), UInt8(ascii: "C"), UInt8(ascii: "G"), UInt8(ascii: "T"): true
    default: false
    }
  }

  /// Whether two patterns, of equal lengths, can match the same sequence.
  static func canBothMatch(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    guard one.count == other.count else { return false }
    for index in one.indices where one[index] != other[index] {
      if bases(of: one[index]) & bases(of: other[index]) == 0 { return false }
    }
    return true
  }
}
