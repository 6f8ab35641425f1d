// SPDX-License-Identifier: MIT
import CPlatform
import Workpool

/// Names of packed files and of what is in them.
enum PackedName {
  /// Suffixes and what stands in their place when the file is unpacked.
  private static let suffixes = [
    (".gz", ""), (".bgz", ""), (".tgz", ".tar"), (".taz", ".tar"),
    (".zst", ""), (".zstd", ""), (".tzst", ".tar"),
  ]

  static func packed(_ path: String, _ compression: Compression) -> String {
    path + (compression == .zstd ? ".zst" : ".gz")
  }

  /// The suffix that says that a file is packed.
  static func suffix(of path: String) -> String? {
    let name = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).last
    return suffixes.first { suffix, _ in
      let suffix = suffix.utf8
      guard let name, name.count > suffix.count else { return false }
      return name.suffix(suffix.count).elementsEqual(suffix)
    }?.0
  }

  /// Without that suffix; nil where there is none.
  static func unpacked(_ path: String) -> String? {
    guard let suffix = suffix(of: path) else { return nil }
    let rest = String(decoding: Array(path.utf8.dropLast(suffix.utf8.count)), as: UTF8.self)
    return rest + (suffixes.first { $0.0 == suffix }?.1 ?? "")
  }

  /// The name, or, where nothing has it, that of the packed file beside it.
  static func found(_ name: String) -> String {
    if name == "-" || isThere(name) { return name }
    return [".gz", ".bgz", ".zst", ".zstd"].map { name + $0 }.first(where: isThere) ?? name
  }

  private static func isThere(_ path: String) -> Bool {
    var info = wpl_file_info()
    return wpl_file_info_at(path, 0, &info) == 0
  }
}
