// SPDX-License-Identifier: MIT
import WorkpoolCore

/// How the bytes of a file are packed.
public enum Compression: Sendable {
  case plain
  /// Members of RFC 1952. Written as BGZF, which every reader of gzip understands.
  case gzip
  /// Gzip members of at most 64 KiB that say their size (SAM specification §4.1).
  case bgzf
  /// Frames of RFC 8878.
  case zstd

  /// What the name of an output asks for: `.gz` and `.bgz`, `.zst` and `.zstd`, else plain.
  public init(path: String) {
    if path.ends(with: ".gz") || path.ends(with: ".bgz") {
      self = .gzip
    } else if path.ends(with: ".zst") || path.ends(with: ".zstd") {
      self = .zstd
    } else {
      self = .plain
    }
  }

  public var name: StaticString {
    switch self {
    case .plain: "plain"
    case .gzip: "gzip"
    case .bgzf: "BGZF"
    case .zstd: "zstd"
    }
  }

  /// The levels a writer takes.
  public var levels: ClosedRange<Int> {
    switch self {
    case .plain: 0...0
    case .gzip, .bgzf: 0...9
    case .zstd: 1...22
    }
  }

  public var defaultLevel: Int {
    switch self {
    case .plain: 0
    case .gzip, .bgzf: 6
    case .zstd: 5
    }
  }

  /// Bytes of the output's own stream that are packed together, whatever blocks they came in;
  /// 0 where nothing is packed.
  public var sliceSize: Int {
    switch self {
    case .plain: 0
    case .gzip, .bgzf: 65_280
    case .zstd: 1 << 20
    }
  }
}

/// What the decoded bytes are.
public enum RecordFormat: Sendable {
  case fastq, fasta, bam

  /// What the name of a file says in front of a suffix for its packing, if anything.
  public init?(path: String) {
    var name = Substring(path)
    for suffix in [".gz", ".bgz", ".zst", ".zstd"] where path.ends(with: suffix) {
      name = Substring(path.utf8.dropLast(suffix.utf8.count))
    }
    if name.ends(with: ".fq") || name.ends(with: ".fastq") {
      self = .fastq
    } else if name.ends(with: ".fa") || name.ends(with: ".fasta") || name.ends(with: ".fna") {
      self = .fasta
    } else if name.ends(with: ".bam") {
      self = .bam
    } else {
      return nil
    }
  }

  public var name: StaticString {
    switch self {
    case .fastq: "FASTQ"
    case .fasta: "FASTA"
    case .bam: "BAM"
    }
  }
}

/// Tells formats by content; the names of inputs play no part.
public enum Format {
  /// First bytes that the decisions below look at.
  static let prefixSize = 4

  /// How a stream is packed that begins with `prefix`: its first four bytes, fewer only where
  /// the stream has no more.
  ///
  /// `1f 8b` without a sound third byte is gzip too, and so found damaged: nobody's text begins
  /// so. Errors: `unsupported`, naming the format.
  public static func detect(packed prefix: UnsafeRawBufferPointer) throws(WorkpoolError)
    -> Compression
  {
    func begins(_ bytes: UInt8...) -> Bool { prefix.starts(with: bytes) }
    if begins(0x1f, 0x8b) || (begins(0x1f) && prefix.count == 1) { return .gzip }
    switch ZstdMagic(prefix) {
    case .frame, .skippable: return .zstd
    case .legacy(let version):
      throw WorkpoolError(.unsupported, "zstd format 0.\(version) is not supported")
    case .cut where prefix.count > 1: return .zstd
    case .cut, .none: break
    }
    if begins(0x42, 0x5a, 0x68) { throw unsupported("bzip2") }
    if begins(0xfd, 0x37, 0x7a, 0x58) { throw unsupported("xz") }
    if begins(0x04, 0x22, 0x4d, 0x18) { throw unsupported("lz4") }
    if begins(0x50, 0x4b, 0x03, 0x04) { throw unsupported("zip") }
    return .plain
  }

  /// What the records of a stream are whose first decoded bytes are `prefix`: four, or fewer
  /// where the stream has no more. Returns nil for no byte at all, which is any format without
  /// records.
  ///
  /// Errors: `malformedRecord` for a byte order mark, a blank first line or any other beginning.
  public static func detect(decoded prefix: UnsafeRawBufferPointer) throws(WorkpoolError)
    -> RecordFormat?
  {
    guard let first = prefix.first else { return nil }
    switch first {
    case UInt8(ascii: "@"): return .fastq
    case UInt8(ascii: ">"): return .fasta
    case UInt8(ascii: "B") where prefix.elementsEqual([0x42, 0x41, 0x4d, 0x01]): return .bam
    case 0xef where prefix.starts(with: [0xef, 0xbb, 0xbf]):
      throw WorkpoolError(.malformedRecord, "begins with a byte order mark", place: "line 1")
    case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
      throw WorkpoolError(.malformedRecord, "begins with a blank line", place: "line 1")
    default:
      throw WorkpoolError(
        .malformedRecord,
        "begins with \(shown(first)): neither FASTQ (@) nor FASTA (>) nor BAM", place: "line 1")
    }
  }

  private static func unsupported(_ name: String) -> WorkpoolError {
    WorkpoolError(.unsupported, "\(name) is not supported")
  }

  private static func shown(_ byte: UInt8) -> String {
    if (0x21...0x7e).contains(byte) { return "'" + String(UnicodeScalar(byte)) + "'" }
    let digits = Array("0123456789abcdef".unicodeScalars)
    var text = "byte 0x"
    text.unicodeScalars.append(digits[Int(byte >> 4)])
    text.unicodeScalars.append(digits[Int(byte & 15)])
    return text
  }
}

/// The first four bytes of a zstd frame, little-endian (RFC 8878 §3.1).
enum ZstdMagic {
  case frame
  case skippable
  /// A format before 0.8, which has other magic numbers.
  case legacy(version: Int)
  /// The beginning of a frame's or skippable frame's magic number, and nothing behind it.
  case cut
  case none

  init(_ prefix: UnsafeRawBufferPointer) {
    self = .none
    guard let first = prefix.first else { return }
    let rest = UnsafeRawBufferPointer(rebasing: prefix[1..<min(prefix.count, 4)])
    let isFrame = [0xb5, 0x2f, 0xfd].starts(with: rest)
    if first == 0x28 && isFrame {
      self = rest.count == 3 ? .frame : .cut
    } else if first & 0xf0 == 0x50 && [0x2a, 0x4d, 0x18].starts(with: rest) {
      self = rest.count == 3 ? .skippable : .cut
    } else if isFrame && rest.count == 3 && first == 0x1e {
      self = .legacy(version: 1)
    } else if isFrame && rest.count == 3 && (0x22...0x27).contains(first) {
      self = .legacy(version: Int(first) - 0x20)
    }
  }
}

extension StringProtocol {
  /// By bytes: names of files are bytes, equivalent characters are different names.
  func ends(with suffix: String) -> Bool {
    utf8.count >= suffix.utf8.count && utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }
}
