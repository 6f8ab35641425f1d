// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Lines of a journal: JSON objects whose last member, `sum`, is a check of all bytes before it. What a
/// crash or a bad disk has left is told from what was written.
public enum JournalLine {
  private static let mark: StaticString = ",\"sum\":\""
  private static let markSize = 8

  /// Appends an object of these members, its sum and a line end.
  public static func write(_ members: [JSONValue.Member], to bytes: inout [UInt8]) {
    let start = bytes.count
    JSONValue.object(members).write(to: &bytes)
    bytes.removeLast()
    let sum = Checksum.crc32(bytes[start...])
    for index in 0..<markSize { bytes.append(mark.utf8Start[index]) }
    Checksum.write(sum, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: "}"))
    bytes.append(10)
  }

  /// The whole and true lines of a journal, in order; others are left out.
  public static func read(_ bytes: [UInt8]) -> [JSONValue] {
    var values: [JSONValue] = []
    var start = 0
    while start < bytes.count {
      // What has no line end was being written.
      guard let end = bytes[start...].firstIndex(of: 10) else { break }
      if isTrue(bytes, start..<end) {
        do throws(JSONParser.Fault) {
          values.append(try JSONParser.parse(bytes, in: start..<end))
        } catch {
          // A line that was never written like this: it does not count.
        }
      }
      start = end + 1
    }
    return values
  }

  private static func isTrue(_ bytes: [UInt8], _ line: Range<Int>) -> Bool {
    let tail = markSize + 10  // mark, eight digits, quote, brace
    guard line.count > tail, bytes[line.upperBound - 1] == UInt8(ascii: "}"),
      bytes[line.upperBound - 2] == UInt8(ascii: "\"")
    else { return false }
    let end = line.upperBound - tail
    for index in 0..<markSize where bytes[end + index] != mark.utf8Start[index] { return false }
    var digits: [UInt8] = []
    Checksum.write(Checksum.crc32(bytes[line.lowerBound..<end]), to: &digits)
    for index in 0..<8 where bytes[end + markSize + index] != digits[index] { return false }
    return true
  }
}

/// CRC-32 as in gzip (RFC 1952 §8).
public enum Checksum {
  private static let table: [UInt32] = {
    var table: [UInt32] = []
    for index in 0..<256 {
      var value = UInt32(index)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
      table.append(value)
    }
    return table
  }()

  public static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let table = table
    var value: UInt32 = 0xffff_ffff
    for byte in bytes { value = table[Int((value ^ UInt32(byte)) & 255)] ^ value >> 8 }
    return ~value
  }

  /// Eight hexadecimal digits.
  static func write(_ value: UInt32, to bytes: inout [UInt8]) {
    for shift in [28, 24, 20, 16, 12, 8, 4, 0] as [UInt32] {
      let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
      bytes.append(digit < 10 ? 48 + digit : 87 + digit)
    }
  }
}

/// Writes a journal: each line with one call, so that a crash tears at most the last one.
public final class JournalWriter {
  public enum Sync: Sendable {
    /// Each terminal state is on the device before anything follows from it.
    case always
    /// All terminal states are soon: 50 ms later, or, where the device is slow, so late that no more
    /// than a twentieth of the time is spent on it.
    case group
    case none
  }

  private static let syncInterval: Int64 = 50_000_000

  public let path: String
  private let sync: Sync
  private let descriptor: Int32
  private var line: [UInt8] = []
  /// When what was written must be on the device; nil: it is, or need not be.
  public private(set) var syncDue: Int64?
  private var nextSync: Int64 = 0

  /// Goes on behind what is there.
  public init(path: String, sync: Sync) throws(WorkpoolError) {
    self.path = path
    self.sync = sync
    descriptor = wpl_file_open(path, Int32(WPL_OPEN_JOURNAL))
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "cannot create", path: path, systemError: -descriptor)
    }
  }

  deinit { _ = wpl_file_close(descriptor) }

  /// - Parameter mustLast: it tells of a terminal state.
  public func append(
    _ members: [JSONValue.Member], mustLast: Bool, now: Int64
  ) throws(WorkpoolError) {
    line.removeAll(keepingCapacity: true)
    JournalLine.write(members, to: &line)
    var done = 0
    while done < line.count {
      let written = line.withUnsafeBytes {
        wpl_file_write(descriptor, $0.baseAddress! + done, $0.count - done)
      }
      guard written > 0 else {
        throw WorkpoolError(
          .ioFailed, "cannot write", path: path, systemError: written < 0 ? Int32(-written) : 0)
      }
      done += Int(written)
    }
    guard mustLast else { return }
    switch sync {
    case .none: break
    case .always: try syncNow(now)
    case .group:
      if now >= nextSync {
        try syncNow(now)
      } else if syncDue == nil {
        syncDue = nextSync
      }
    }
  }

  /// Does what `syncDue` says.
  public func syncNow(_ now: Int64) throws(WorkpoolError) {
    syncDue = nil
    guard sync != .none else { return }
    let start = wpl_now()
    let failed = wpl_file_sync_data(descriptor)
    nextSync = now + max(Self.syncInterval, 20 * (wpl_now() - start))
    guard failed == 0 else {
      throw WorkpoolError(.ioFailed, "cannot write to the device", path: path, systemError: -failed)
    }
  }
}
