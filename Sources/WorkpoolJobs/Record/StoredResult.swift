// SPDX-License-Identifier: MIT
import WorkpoolCore

/// The result of a job as a journal tells of it: a file with its size and its sum.
public struct StoredResult: Sendable {
  /// From the folder of the run on.
  let name: String
  let size: Int
  private let sum: String

  init(_ name: String, _ bytes: [UInt8]) {
    self.name = name
    size = bytes.count
    sum = Self.sum(bytes)
  }

  /// nil: this is none.
  init?(_ value: JSONValue) {
    guard let name = value["file"]?.text, let size = value["size"]?.int,
      let sum = value["crc32"]?.text, name.utf8.starts(with: "jobs/".utf8)
    else { return nil }
    // No way out of the folder.
    guard name.utf8.dropFirst(5).firstIndex(of: UInt8(ascii: "/")) == nil else { return nil }
    self.name = name
    self.size = size
    self.sum = sum
  }

  var value: JSONValue {
    .object([
      .init("file", .text(name)), .init("size", .int(size)), .init("crc32", .text(sum)),
    ])
  }

  private static func sum(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
    Checksum.write(Checksum.crc32(bytes[...]), to: &digits)
    return String(decoding: digits, as: UTF8.self)
  }

  /// nil: it is not there, or not what was written.
  public func read(in folder: String) -> [UInt8]? {
    do throws(WorkpoolError) {
      let bytes = try SmallFile.read(folder + "/" + name)
      return bytes.count == size && Self.sum(bytes) == sum ? bytes : nil
    } catch {
      return nil
    }
  }
}
