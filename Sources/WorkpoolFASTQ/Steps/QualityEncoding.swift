// SPDX-License-Identifier: MIT
import CPlatform

/// The ways to write a quality as a byte (Cock et al., Nucleic Acids Res. 38:1767, 2010).
enum QualityEncoding: Int {
  case sanger
  case solexa
  case illumina13

  static let names = [
    ["sanger", "illumina1.8", "illumina_1_8"], ["solexa"], ["illumina1.3", "illumina_1_3"],
  ]

  /// - Parameter choice: number of one of `names`.
  init(_ choice: Int) {
    self = [.sanger, .solexa, .illumina13][choice]
  }

  var name: String { Self.names[rawValue][0] }

  /// The byte of quality 0.
  var zero: Int { self == .sanger ? 33 : 64 }

  var range: ClosedRange<UInt8> {
    switch self {
    case .sanger: 33...126
    case .solexa: 59...126
    case .illumina13: 64...126
    }
  }

  var rangeText: String { String(range.lowerBound) + " to " + String(range.upperBound) }

  /// The same quality in another encoding; what lies outside goes to the end of the range.
  ///
  /// A Solexa score is of odds, p / (1 − p): equations 2 and 3 of the paper.
  func converted(_ byte: UInt8, to other: Self) -> UInt8 {
    let score = Int(byte) - zero
    var result = score
    if self == .solexa && other != .solexa {
      result = rounded(10 * log10(pow(10, Double(score) / 10) + 1))
    } else if other == .solexa && self != .solexa {
      // Quality 0 has infinite odds against it.
      result = score <= 0 ? -64 : rounded(10 * log10(pow(10, Double(score) / 10) - 1))
    }
    let wanted = result + other.zero
    return UInt8(min(max(wanted, Int(other.range.lowerBound)), Int(other.range.upperBound)))
  }

  private func rounded(_ number: Double) -> Int {
    Int(number.rounded(.toNearestOrAwayFromZero))
  }
}
