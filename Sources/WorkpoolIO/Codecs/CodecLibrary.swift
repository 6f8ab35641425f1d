// SPDX-License-Identifier: MIT
import CZlib
import CZstd

/// A library that packs or unpacks for this build.
public struct CodecLibrary: Sendable {
  public let name: String
  /// Of the library that is loaded, such as `1.3.1`.
  public let version: String

  public static var builtIn: [CodecLibrary] {
    [
      CodecLibrary(name: "zlib", version: String(cString: zlibVersion())),
      CodecLibrary(name: "zstd", version: String(cString: ZSTD_versionString())),
    ]
  }
}
