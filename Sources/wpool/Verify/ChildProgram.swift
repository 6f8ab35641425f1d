// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// A program that is run to its end, with its output in files.
struct ChildProgram {
  /// Program and arguments.
  var words: [String]
  var folder: String
  /// Paths; nil: there is nothing to read.
  var input: String?
  var output: String
  var errors: String
  /// `NAME=value`, beside the own environment.
  var settings: [String] = []

  /// This program.
  static var own: String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
  }

  /// - Returns: the exit code; for a signal 128 and its number.
  /// - Throws: also where this program was told to end: the child is told, and has ended then.
  func run() throws(Failure) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
    let created = O_WRONLY | O_CREAT | O_TRUNC
    posix_spawn_file_actions_addopen(&actions, 1, output, created, 0o666)
    posix_spawn_file_actions_addopen(&actions, 2, errors, created, 0o666)
    var child: pid_t = 0
    let inFolder = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder] + words
    let code = Self.withTexts(inFolder) { words in
      Self.withTexts(settings) { settings in
        var all: [UnsafeMutablePointer<CChar>?] = settings.dropLast()
        var next = environ
        while let setting = next.pointee {
          all.append(setting)
          next += 1
        }
        all.append(nil)
        return posix_spawn(&child, words[0]!, &actions, nil, words, all)
      }
    }
    guard code == 0 else {
      throw Failure(
        exitCode: .program, messages: ["\(words[0]): \(String(cString: strerror(code)))"])
    }
    let status = Self.wait(for: child)
    if let signal = Interrupts.caught {
      throw Failure(
        exitCode: .signal(signal), messages: ["ended by \(signal == SIGINT ? "SIGINT" : "SIGTERM")"]
      )
    }
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }

  private static func wait(for child: pid_t) -> Int32 {
    var status: Int32 = 0
    var isTold = false
    while true {
      let ended = waitpid(child, &status, WNOHANG)
      if ended == child || ended < 0 && errno != EINTR { return status }
      if !isTold, Interrupts.caught != nil {
        kill(child, SIGTERM)
        isTold = true
      }
      usleep(2_000)
    }
  }

  private static func withTexts<Result>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
  }
}
