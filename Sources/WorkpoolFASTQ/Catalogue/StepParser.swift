// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Reads one step from a line such as `ExtractIUPAC search=AGTC anchor=left`.
///
/// Words are separated by blanks as in a shell: quotes hold a word together and vanish, a
/// backslash outside single quotes takes the next character as it is. A value that reads as a TOML
/// number, boolean, string or list of these is that; any other is text.
public enum StepParser {
  /// - Throws: `invalidArgument` with what is wrong; whether step and keys exist is not checked.
  public static func parse(_ line: String, origin: String? = nil) throws(WorkpoolError)
    -> StepRequest
  {
    var words = try words(of: Array(line.utf8), line)[...]
    guard let action = words.popFirst() else { throw problem("no step in", line) }
    var request = StepRequest(unquoted(action), origin: origin)
    for word in words {
      guard let equals = word.firstIndex(of: UInt8(ascii: "=")), equals > 0 else {
        throw problem("\"" + text(word) + "\" is not key=value in", line)
      }
      let value = word[(equals + 1)...]
      request.parameters.append(
        StepParameter(
          text(word[..<equals]), TOMLValue.read(value) ?? .text(unquoted(value))))
    }
    return request
  }

  /// A value as TOML has it; nil for anything else.
  public static func value(_ text: String) -> StepValue? { TOMLValue.read(Array(text.utf8)) }

  /// The words with their quotes. A value that begins with `[` goes on to the bracket's end.
  private static func words(of line: [UInt8], _ whole: String) throws(WorkpoolError) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var word: [UInt8] = []
    var isInWord = false
    var quote: UInt8?
    var depth = 0
    var index = 0
    while index < line.count {
      let byte = line[index]
      index += 1
      if let open = quote {
        word.append(byte)
        if byte == open {
          quote = nil
        } else if byte == UInt8(ascii: "\\"), open == UInt8(ascii: "\""), index < line.count {
          word.append(line[index])
          index += 1
        }
        continue
      }
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        if depth > 0 {
          word.append(byte)
        } else if isInWord {
          words.append(word)
          word = []
          isInWord = false
        }
        continue
      case UInt8(ascii: "\\"):
        word.append(byte)
        guard index < line.count else { throw problem("a backslash ends", whole) }
        word.append(line[index])
        index += 1
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        quote = byte
        word.append(byte)
      case UInt8(ascii: "["):
        if depth > 0 || word.last == UInt8(ascii: "=") { depth += 1 }
        word.append(byte)
      case UInt8(ascii: "]"):
        if depth > 0 { depth -= 1 }
        word.append(byte)
      default:
        word.append(byte)
      }
      isInWord = true
    }
    guard quote == nil else { throw problem("a quote is not closed in", whole) }
    guard depth == 0 else { throw problem("a [ is not closed in", whole) }
    if isInWord { words.append(word) }
    return words
  }

  /// The word as a shell would see it.
  private static func unquoted(_ word: some Collection<UInt8>) -> String {
    var plain: [UInt8] = []
    var quote: UInt8?
    var isTaken = false
    for byte in word {
      if isTaken {
        isTaken = false
        plain.append(byte)
      } else if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "'") {
        isTaken = true
      } else if let open = quote {
        if byte == open { quote = nil } else { plain.append(byte) }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
      } else {
        plain.append(byte)
      }
    }
    return text(plain)
  }

  private static func text(_ bytes: some Collection<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  private static func problem(_ message: String, _ line: String) -> WorkpoolError {
    WorkpoolError(.invalidArgument, message + " the step \"" + line + "\"")
  }
}
