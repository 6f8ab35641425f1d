// SPDX-License-Identifier: MIT
import CPlatform

/// Permissions, owner and times of a file, for an output that stands in its place.
public struct FileAttributes: Sendable {
  private var value = wpl_file_attributes()

  /// Of the file at `path`, through links; nil where nothing may be seen.
  public init?(path: String) {
    if wpl_file_attributes_at(path, &value) < 0 { return nil }
  }

  /// As far as this process may: a file without them is no less complete.
  func apply(to descriptor: Int32) {
    withUnsafePointer(to: value) { wpl_file_set_attributes(descriptor, $0) }
  }
}
