// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Where the three parts of one record lie in the text of its segment. Offsets and lengths are
/// bytes; name without `@`, no line ends. Sequence and quality have the same length.
///
/// What was parsed may be shortened and its bytes may change in place. What becomes longer goes
/// behind the parsed text, beyond `FASTQText.parsedCount`. So a record that lies within the
/// parsed text and has its parts at the distances of the canonical form is, line ends and all,
/// the text it was read from or was changed to in place (`isCanonical`).
public struct FASTQRecord: BitwiseCopyable, Equatable, Sendable {
  public var name: Int
  public var nameLength: Int
  public var sequence: Int
  public var quality: Int
  public var length: Int

  /// Whether the bytes from one before `name` to the end of the quality are
  /// `@name\nsequence\n+\nquality`.
  @inline(__always)
  func isCanonical(parsedCount: Int) -> Bool {
    sequence &- name == nameLength &+ 1 && quality &- sequence == length &+ 3
      && quality &+ length <= parsedCount
  }

  /// Bytes of `@name\nsequence\n+\nquality\n`.
  @inline(__always)
  var encodedSize: Int { nameLength &+ 2 &* length &+ 6 }
}

/// The text of one block of one file.
///
/// Interleaved segments share one.
public final class FASTQText {
  /// The block's bytes, then what steps put behind them.
  public var bytes = GrowableMemory<UInt8>()
  /// How many bytes were parsed; what lies behind came from steps.
  public internal(set) var parsedCount = 0
  public var origin = FASTQOrigin()
  /// For FASTA: what every base gets as its quality.
  public var fakeQuality: UInt8?

  public init() {}

  /// Room for `size` bytes that a step makes, behind all that is there. The bytes may move.
  func makeRoom(_ size: Int) throws(WorkpoolError) -> Int {
    let place = bytes.count
    try bytes.resize(place + size)
    return place
  }
}

/// Where a block of text begins in its file, for messages.
public struct FASTQOrigin: Sendable {
  /// The file, or `standard input`.
  public var path: String?
  /// Records of the file before this block.
  public var record: Int
  /// Lines of the file before this block.
  public var line: Int
  /// Uncompressed bytes of the file before this block.
  public var byte: Int

  public init(path: String? = nil, record: Int = 0, line: Int = 0, byte: Int = 0) {
    self.path = path
    self.record = record
    self.line = line
    self.byte = byte
  }
}
