// SPDX-License-Identifier: MIT
import FoundationEssentials
import Glibc
import Workpool

/// Compares what a run wrote with what it should have written.
enum FileComparison {
  /// What is compared of a file, by its name.
  private enum Content {
    /// Packed files are unpacked first.
    case bytes
    case json
    /// The hash of the packed file beside it.
    case packedHash
    /// It tells of the run itself: it is there and not empty.
    case presence

    init(_ name: String) {
      let suffixes: [(String, Content)] = [
        (".timing.json", .presence), (".html", .presence), (".progress", .presence),
        (".json", .json), (".compressed.sha256", .packedHash),
      ]
      self = suffixes.first { name.hasSuffix($0.0) }?.1 ?? .bytes
    }
  }

  /// - Returns: what is wrong with `path`; nil: nothing.
  static func difference(of path: String, from wanted: String) -> Difference? {
    do throws(WorkpoolError) {
      switch Content(path) {
      case .bytes: return try differentBytes(path, wanted, isPacked: false)
      case .json: return try differentJSON(path, wanted).map { Difference($0) }
      case .presence: return try content(path).isEmpty ? Difference("is empty") : nil
      case .packedHash:
        let file = String(path.dropLast(".compressed.sha256".count))
        let hash = try String(decoding: content(path), as: UTF8.self)
        return try hash == SHA256.digits(of: content(file))
          ? nil : Difference("is not the hash of \(file)")
      }
    } catch {
      return Difference(error.text)
    }
  }

  /// How far the sizes of two packed files are apart.
  ///
  /// - Parameter tolerance: in per cent of `wanted`.
  /// - Returns: what is wrong; nil: nothing, or they are not packed.
  static func differentSize(of path: String, from wanted: String, tolerance: Double) -> Difference?
  {
    guard isPacked(path) else { return nil }
    do throws(WorkpoolError) {
      let (size, want) = (try content(path).count, try content(wanted).count)
      guard abs(Double(size - want)) > tolerance / 100 * Double(want) else { return nil }
      return Difference("packed size: want \(want) bytes within \(tolerance) %, got \(size)")
    } catch {
      return Difference(error.text)
    }
  }

  private static func isPacked(_ path: String) -> Bool {
    [".gz", ".bgz", ".zst", ".zstd"].contains { path.hasSuffix($0) }
  }

  /// The same between two runs: packed bytes are compared, too.
  static func difference(of path: String, fromRun other: String) -> Difference? {
    switch Content(path) {
    case .bytes, .packedHash:
      do throws(WorkpoolError) {
        return try differentBytes(path, other, isPacked: true)
      } catch {
        return Difference(error.text)
      }
    case .json, .presence: return difference(of: path, from: other)
    }
  }

  // MARK: Bytes

  private static func differentBytes(
    _ path: String, _ wanted: String, isPacked: Bool
  ) throws(WorkpoolError) -> Difference? {
    var one = try FileBytes(path, isPacked: isPacked)
    var two = try FileBytes(wanted, isPacked: isPacked)
    var (offset, lines) = (0, 0)
    while true {
      let (found, want) = (try one.next(), try two.next())
      let common = zip(found, want).prefix { $0 == $1 }.count
      if common == found.count && common == want.count {
        if found.isEmpty { return nil }
        offset += common
        lines += found.count { $0 == 10 }
        continue
      }
      lines += found[..<common].count { $0 == 10 }
      if isPacked && Self.isPacked(path) { return Difference("byte \(offset + common)") }
      return try TextDifference(of: path, from: wanted, byte: offset + common, line: lines).found()
    }
  }

  private static func content(_ path: String) throws(WorkpoolError) -> [UInt8] {
    var file = try FileBytes(path, isPacked: true)
    var all: [UInt8] = []
    while case let piece = try file.next(), !piece.isEmpty { all += piece }
    return all
  }

  // MARK: JSON

  private static func differentJSON(
    _ path: String, _ wanted: String
  ) throws(WorkpoolError) -> String? {
    func value(_ path: String) throws(WorkpoolError) -> JSONContent {
      let bytes = try content(path)
      do { return try JSONDecoder().decode(JSONContent.self, from: Data(bytes)) } catch {
        throw WorkpoolError(.malformedRecord, "is no JSON", path: path)
      }
    }
    return try value(path).difference(from: value(wanted))
  }
}

/// A file in pieces of the same size, unpacked or as it is.
struct FileBytes {
  private let source: ByteSource?
  private let reader: CompressedReader?

  init(_ path: String, isPacked: Bool) throws(WorkpoolError) {
    source = isPacked ? try ByteSource(path: path) : nil
    reader = isPacked ? nil : try CompressedReader(path: path)
  }

  /// Empty at the end.
  mutating func next() throws(WorkpoolError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var (count, failure) = (0, WorkpoolError?.none)
    bytes.withUnsafeMutableBytes { room in
      do throws(WorkpoolError) {
        if let source { count = try source.read(into: room) }
        if let reader { count = try reader.read(into: room) }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return Array(bytes[..<count])
  }
}

/// A value of JSON as it was read.
indirect enum JSONContent: Decodable {
  case null
  case bool(Bool)
  case number(Double)
  case text(String)
  case list([JSONContent])
  case table([String: JSONContent])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([JSONContent].self) {
      self = .list(list)
    } else {
      self = .table(try value.decode([String: JSONContent].self))
    }
  }

  /// What says who made a report, when and where, and how large a set of items was made beforehand.
  private static let ofTheRun: Set<String> = [
    "__", "run_info", "initial_filter_capacity", "actual_filter_capacity",
  ]

  /// The first place, in the order of the keys, where it is not like `wanted`; nil: it is.
  func difference(from wanted: JSONContent, at place: String = "") -> String? {
    switch (self, wanted) {
    case (.null, .null): return nil
    case (.bool(let one), .bool(let two)) where one == two: return nil
    case (.text(let one), .text(let two)) where one == two: return nil
    case (.number(let one), .number(let two))
    where abs(one - two) <= 1e-9 * max(abs(one), abs(two)): return nil
    case (.list(let ones), .list(let twos)) where ones.count == twos.count:
      for (index, (one, two)) in zip(ones, twos).enumerated() {
        if let found = one.difference(from: two, at: "\(place)[\(index)]") { return found }
      }
      return nil
    case (.table(let one), .table(let two)):
      for key in Set(one.keys).union(two.keys).subtracting(Self.ofTheRun).sorted() {
        let inner = place.isEmpty ? key : place + "." + key
        guard let found = one[key] else { return "\(inner) is missing" }
        guard let want = two[key] else { return "\(inner) is not expected" }
        if let found = found.difference(from: want, at: inner) { return found }
      }
      return nil
    default: return "\(place): want \(wanted.short), got \(short)"
    }
  }

  private var short: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let value): Int(exactly: value).map { "\($0)" } ?? "\(value)"
    case .text(let text): "\"\(text.prefix(80))\""
    case .list(let values): "a list of \(values.count)"
    case .table(let members): "an object of \(members.count)"
    }
  }
}
