// SPDX-License-Identifier: MIT

/// What the values of a tag are.
public enum TagKind: Equatable, Sendable {
  /// Regions of reads, each with its own copy of the sequence.
  case location
  case string
  case numeric
  case bool

  var text: String {
    switch self {
    case .location: "location"
    case .string: "string"
    case .numeric: "numeric"
    case .bool: "bool"
    }
  }
}

/// A region of one read, or a piece of text without a place.
public struct TagRegion: BitwiseCopyable, Equatable, Sendable {
  static let nowhere: Int32 = -1

  /// Whose sequence it lies in; `nowhere` for text alone.
  public var segment: Int32
  /// In the read as it is now.
  public var start: Int
  public var length: Int
  /// The copy: bytes of the column, which edits of the read leave alone.
  public var text: Int
  public var textLength: Int
}

/// The regions of one read's value: `count` of the column's, from `first` on.
public struct TagHit: BitwiseCopyable, Equatable, Sendable {
  public var first: Int32
  public var count: Int32
  /// Whether the regions still lie where they say. An edit that cuts into one of them takes the
  /// places of all; the copies stay.
  public var isLocated: Bool
}
