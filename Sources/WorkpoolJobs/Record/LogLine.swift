// SPDX-License-Identifier: MIT

/// Lines of logs: `[2026-01-31T12:00:00.000Z] [INFO] [phase] text {"a":1}`.
enum LogLine {
  /// From the phase on; empty: there is none.
  static func words(_ phase: String, _ text: String, _ data: JSONValue?) -> [UInt8] {
    var words: [UInt8] = []
    if !phase.isEmpty { words += Array("[\(phase)] ".utf8) }
    words += Array(text.utf8)
    if let data {
      words.append(UInt8(ascii: " "))
      data.write(to: &words)
    }
    return words
  }

  /// The line with its end; ends of lines in it are blanks.
  static func bytes(_ time: String, _ level: JobLogLevel, _ words: [UInt8]) -> [UInt8] {
    var line = Array("[\(time)] [\(level.name)] ".utf8)
    for byte in words { line.append(byte == 10 || byte == 13 ? 32 : byte) }
    line.append(10)
    return line
  }
}
