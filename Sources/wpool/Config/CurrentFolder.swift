// SPDX-License-Identifier: MIT
import Glibc

enum CurrentFolder {
  /// Empty where it cannot be told.
  static var path: String {
    guard let path = getcwd(nil, 0) else { return "" }
    defer { free(path) }
    return String(cString: path)
  }
}
