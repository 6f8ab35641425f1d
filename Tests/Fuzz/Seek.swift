// SPDX-License-Identifier: MIT
import Glibc
import WorkpoolCore
import WorkpoolIO

extension Fuzz {
  /// Seeking by headers, `.gzi` indexes and seek tables. The first byte says whether there is an index, the
  /// second one how long it is, the next four where to go; then come index and file.
  ///
  /// Promise: without an index, what is read at a place of a sound file of blocks is what lies there.
  static func seek(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 6 else { return }
    let hasIndex = input[0] & 1 != 0
    let index = UnsafeRawBufferPointer(
      rebasing: input.dropFirst(6).prefix(hasIndex ? Int(input[1]) : 0))
    let file = UnsafeRawBufferPointer(rebasing: input.dropFirst(6 + index.count))
    put(file, in: names.file)
    if hasIndex { put(index, in: names.index) }
    guard
      let reader = try? FileReader(
        .path(names.file), splitter: .lines(LineSplitter(.records(1))),
        gzi: hasIndex ? names.index : nil)
    else { return }
    let whole = hasIndex || reader.info.compression != .bgzf ? nil : decoded(names.file)
    for step in 2..<6 {
      let offset = Int(input[step]) << (input[0] >> 5)
      var room = [UInt8](repeating: 0, count: 50)
      guard (try? reader.seek(to: UInt64(offset))) != nil,
        let place = try? reader.tell(),
        let count = try? room.withUnsafeMutableBytes({ try reader.read(into: $0) })
      else { continue }
      guard let whole else { continue }
      let start = min(offset, whole.count)
      check(place == UInt64(start), "the place that was sought, or the end")
      check(room[..<count] == whole[start..<min(start + 50, whole.count)], "the bytes at \(start)")
    }
    // Virtual offsets may be anything.
    if (try? reader.seek(toVirtual: UInt64(input[2]) << 16 | UInt64(input[3]))) != nil {
      _ = try? reader.tellVirtual()
      _ = try? reader.next()
    }
  }

  /// All of a sound file of up to a MiB.
  private static func decoded(_ path: String) -> [UInt8]? {
    guard let reader = try? CompressedReader(path: path) else { return nil }
    var room = [UInt8](repeating: 0, count: 1 << 20)
    guard let count = try? room.withUnsafeMutableBytes({ try reader.read(into: $0) }),
      count < room.count, (try? room.withUnsafeMutableBytes { try reader.read(into: $0) }) == 0
    else { return nil }
    return Array(room[..<count])
  }

  private static let names: (file: String, index: String) = {
    var name = Array("/tmp/workpool-fuzz-XXXXXX".utf8CString)
    mkdtemp(&name)
    let folder = String(cString: name)
    return (folder + "/file", folder + "/file.gzi")
  }()

  private static func put(_ bytes: UnsafeRawBufferPointer, in path: String) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    check(write(file, bytes.baseAddress, bytes.count) == bytes.count, "room for \(path)")
    close(file)
  }
}
