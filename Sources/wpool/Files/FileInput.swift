// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// A file of the command line, as it was when the command began.
struct FileInput {
  let endpoint: Endpoint
  private let stamp: Stamp?

  /// What changes when a file is replaced or written to.
  private struct Stamp: Equatable {
    var device: UInt64
    var inode: UInt64
    var size: UInt64
    var seconds: Int64
    var nanoseconds: Int64
    var isRegular: Bool

    init?(_ path: String) {
      var info = wpl_file_info()
      var attributes = wpl_file_attributes()
      guard wpl_file_info_at(path, 1, &info) == 0, wpl_file_attributes_at(path, &attributes) == 0
      else { return nil }
      device = info.device
      inode = info.inode
      size = info.size
      seconds = attributes.written_seconds
      nanoseconds = attributes.written_nanoseconds
      isRegular = info.kind == Int32(WPL_KIND_REGULAR)
    }
  }

  /// - Parameter name: `-` is standard input.
  init(_ name: String) {
    endpoint = name == "-" ? .standardInput : .path(name)
    stamp = name == "-" ? nil : Stamp(name)
  }

  /// The files named, or standard input.
  static func all(_ names: [String]) throws(Failure) -> [FileInput] {
    if names.contains("") { throw .usage("the name of an input is empty") }
    if names.filter({ $0 == "-" }).count > 1 { throw .usage("- is given twice") }
    return (names.isEmpty ? ["-"] : names).map { FileInput($0) }
  }

  /// Bytes of all inputs; nil unless they are regular files.
  static func size(of inputs: [FileInput]) -> UInt64? {
    var total: UInt64 = 0
    for input in inputs {
      guard let size = input.size else { return nil }
      total += size
    }
    return total
  }

  private var size: UInt64? {
    if let stamp { return stamp.isRegular ? stamp.size : nil }
    var info = wpl_file_info()
    guard case .descriptor(let number, _) = endpoint, wpl_file_info_of(number, &info) == 0,
      info.kind == Int32(WPL_KIND_REGULAR)
    else { return nil }
    return info.size
  }

  /// Whether nothing is won by several workers.
  var isSmall: Bool { (size ?? .max) <= 64 << 10 }

  /// nil for standard input.
  var path: String? {
    if case .path(let path) = endpoint { path } else { nil }
  }

  /// Whether something is there that is no regular file.
  var isSpecial: Bool { stamp.map { !$0.isRegular } ?? false }

  var attributes: FileAttributes? {
    stamp?.isRegular == true ? path.flatMap { FileAttributes(path: $0) } : nil
  }

  func checkIsThere() throws(WorkpoolError) {
    var info = wpl_file_info()
    guard let path, case let result = wpl_file_info_at(path, 1, &info), result < 0 else { return }
    throw WorkpoolError(.ioFailed, "cannot open", path: path, systemError: -result)
  }

  /// Refuses what `remove` would not remove as it was meant.
  func checkIsRemovable() throws(WorkpoolError) {
    guard let path else { return }
    var info = wpl_file_info()
    if wpl_file_info_at(path, 0, &info) == 0 && info.kind == Int32(WPL_KIND_LINK) {
      throw WorkpoolError(.unsupported, "is a link, which --rm does not remove", path: path)
    }
  }

  /// Removes the file, if it is still the one that was read.
  func remove() throws(WorkpoolError) {
    guard let path else { return }
    guard Stamp(path) == stamp else {
      throw WorkpoolError(.ioFailed, "changed while it was read, and stays", path: path)
    }
    let result = wpl_file_remove(path)
    if result < 0 {
      throw WorkpoolError(.ioFailed, "cannot remove", path: path, systemError: -result)
    }
  }
}
