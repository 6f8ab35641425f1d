// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Where bytes come from or go to.
public enum Endpoint: Sendable {
  case path(String)
  /// An open descriptor, which is duplicated: the caller's own stays the caller's.
  case descriptor(Int32, name: String)

  public static let standardInput = Endpoint.descriptor(0, name: "standard input")
  public static let standardOutput = Endpoint.descriptor(1, name: "standard output")

  /// The path, or what to call it in messages.
  public var name: String {
    switch self {
    case .path(let path): path
    case .descriptor(_, let name): name
    }
  }

  /// What is there, links followed; nil where nothing is or nothing may be seen.
  var info: wpl_file_info? {
    var info = wpl_file_info()
    let result =
      switch self {
      case .path(let path): wpl_file_info_at(path, 1, &info)
      case .descriptor(let descriptor, _): wpl_file_info_of(descriptor, &info)
      }
    return result < 0 ? nil : info
  }
}

extension wpl_file_info {
  var isRegular: Bool { kind == Int32(WPL_KIND_REGULAR) }
  var isFolder: Bool { kind == Int32(WPL_KIND_FOLDER) }
  var isFIFO: Bool { kind == Int32(WPL_KIND_FIFO) }

  /// Whether writing to one of the two would change what the other one reads. A terminal, a null
  /// device or a socket may well be read and written at once.
  func isSameStorage(as other: wpl_file_info) -> Bool {
    kind != Int32(WPL_KIND_OTHER) && device == other.device && inode == other.inode
  }
}
