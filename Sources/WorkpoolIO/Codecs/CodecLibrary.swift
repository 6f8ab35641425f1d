// SPDX-License-Identifier: MIT
import CZlib
import CZstd

#if ISAL
  import CISAL
#endif
#if Libdeflate
  import CLibdeflate
#endif

/// A library that packs or unpacks for this build.
public struct CodecLibrary: Sendable {
  public let name: String
  /// Of the library that is loaded, such as `1.3.1`; where it does not tell, of its headers.
  public let version: String

  public static var builtIn: [CodecLibrary] {
    var libraries = [
      CodecLibrary(name: "zlib", version: String(cString: zlibVersion())),
      CodecLibrary(name: "zstd", version: String(cString: ZSTD_versionString())),
    ]
    #if Libdeflate
      libraries.append(CodecLibrary(name: "libdeflate", version: LIBDEFLATE_VERSION_STRING))
    #endif
    #if ISAL
      libraries.append(CodecLibrary(name: "isa-l", version: String(cString: wpi_version())))
    #endif
    return libraries
  }
}
