// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc

/// The program's words: data on standard output, everything else on standard error.
enum Console {
  /// A message, `wpool: …`, in one line for each of its own.
  static func say(_ message: String) { _ = put("wpool: " + message + "\n", to: 2) }

  static func note(_ message: String) { say("note: " + message) }

  /// - Returns: success; or, once it was told, why standard output did not take the text.
  static func write(_ text: String) -> ExitCode {
    switch put(text, to: 1) {
    case 0: return .success
    case EPIPE: return .closedOutput
    case let code:
      say("standard output: cannot write: " + String(cString: strerror(code)))
      return .run
    }
  }

  /// Writes all of `text`. Returns 0 or errno.
  static func put(_ text: String, to descriptor: Int32) -> Int32 {
    var text = text
    return text.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count >= 0 {
          done += count
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
  }

  /// Where descriptor 0, 1 or 2 is closed, puts something there that can be neither read nor
  /// written: else the next file opened would be taken for it.
  static func holdStandardDescriptors() {
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY)
    }
  }
}
