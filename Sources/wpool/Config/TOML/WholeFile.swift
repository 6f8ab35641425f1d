// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// A small file, all of it.
enum WholeFile {
  private static let mostBytes = 16 << 20

  static func read(_ path: String) throws(WorkpoolError) -> [UInt8] {
    try read(path, most: mostBytes)
  }

  /// However large it is.
  static func readAny(_ path: String) throws(WorkpoolError) -> [UInt8] {
    try read(path, most: .max)
  }

  private static func read(_ path: String, most: Int) throws(WorkpoolError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failed("cannot open", path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &piece, piece.count)
      if count == 0 { return bytes }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failed("cannot read", path) }
      bytes += piece[..<count]
      guard bytes.count <= most else {
        throw WorkpoolError(.invalidArgument, "is too large for a configuration", path: path)
      }
    }
  }

  private static func failed(_ message: String, _ path: String) -> WorkpoolError {
    WorkpoolError(.ioFailed, message, path: path, systemError: errno)
  }
}
