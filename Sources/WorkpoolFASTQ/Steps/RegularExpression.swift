// SPDX-License-Identifier: MIT
import WorkpoolCore

#if PCRE2
  import CPCRE2
#endif

/// A regular expression over bytes, and the text that takes the place of what it finds.
///
/// Matched by PCRE2, without UTF mode; `$` is the very end. A match that takes more than ten million
/// steps is given up.
final class RegularExpression: @unchecked Sendable {
  /// A piece of the replacement.
  private enum Piece {
    case text([UInt8])
    case group(Int)
  }

  static let missing = "this build has no regular expressions: it lacks PCRE2"
  private static let matchLimit: UInt32 = 10_000_000

  private let code: OpaquePointer
  private let context: OpaquePointer
  private var pieces: [Piece] = []

  /// - Throws: `invalidArgument` for a pattern or a replacement that cannot be.
  init(_ pattern: String, replacement: String) throws(WorkpoolError) {
    #if PCRE2
      let plain = Array(pattern.utf8).removing("(?-u)")
      if let problem = Self.setOperation(plain) {
        throw WorkpoolError(.invalidArgument, "\"" + pattern + "\": " + problem)
      }
      var code: Int32 = 0
      var place = 0
      let compiled = plain.withUnsafeBufferPointer { bytes in
        pcre2_compile_8(
          bytes.baseAddress, bytes.count, UInt32(PCRE2_DOLLAR_ENDONLY), &code, &place, nil)
      }
      guard let compiled else {
        throw WorkpoolError(
          .invalidArgument,
          "\"" + pattern + "\": " + Self.message(code) + ", at byte " + String(place + 1))
      }
      // Without it, or where it cannot be had, matching is slower, not different.
      _ = pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
      guard let context = pcre2_match_context_create_8(nil) else {
        pcre2_code_free_8(compiled)
        throw WorkpoolError(.noMemory, "out of memory for a regular expression")
      }
      pcre2_set_match_limit_8(context, Self.matchLimit)
      self.code = compiled
      self.context = context
      pieces = pieces(of: Array(replacement.utf8))
    #else
      throw WorkpoolError(.invalidArgument, Self.missing)
    #endif
  }

  deinit {
    #if PCRE2
      pcre2_match_context_free_8(context)
      pcre2_code_free_8(code)
    #endif
  }

  /// What a replacement such as `$1_`, which is not group 1 but a name, was meant to be.
  static func doubtfulGroup(_ replacement: String) -> String? {
    let bytes = Array(replacement.utf8)
    var index = 0
    while index < bytes.count {
      defer { index += 1 }
      guard bytes[index] == UInt8(ascii: "$") else { continue }
      if index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "$") {
        index += 1
        continue
      }
      let name = bytes[(index + 1)...].prefix { isWord($0) }
      let digits = name.prefix { $0 &- 48 < 10 }
      if !digits.isEmpty && digits.count < name.count {
        return String(decoding: digits, as: UTF8.self)
      }
    }
    return nil
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    (byte | 32) &- 97 < 26 || byte &- 48 < 10 || byte == UInt8(ascii: "_")
  }

  #if PCRE2
    /// Inside brackets, `[`, `&&`, `--` and `~~` mean sets elsewhere and letters here.
    private static func setOperation(_ pattern: [UInt8]) -> String? {
      var isInside = false
      var index = 0
      while index < pattern.count {
        defer { index += 1 }
        let byte = pattern[index]
        if byte == UInt8(ascii: "\\") {
          index += 1
        } else if !isInside {
          if byte == UInt8(ascii: "[") {
            isInside = true
            if index + 1 < pattern.count, pattern[index + 1] == UInt8(ascii: "^") { index += 1 }
            if index + 1 < pattern.count, pattern[index + 1] == UInt8(ascii: "]") { index += 1 }
          }
        } else if byte == UInt8(ascii: "]") {
          isInside = false
        } else if byte == UInt8(ascii: "[") {
          guard index + 1 < pattern.count, pattern[index + 1] == UInt8(ascii: ":") else {
            return "a set inside of [ ] is not possible; write \\[ for the letter"
          }
          // A class such as [:alpha:].
          while index < pattern.count, pattern[index] != UInt8(ascii: "]") { index += 1 }
        } else if byte == UInt8(ascii: "&") || byte == UInt8(ascii: "-")
          || byte == UInt8(ascii: "~"),
          index + 1 < pattern.count, pattern[index + 1] == byte
        {
          return "set operations inside of [ ] are not possible"
        }
      }
      return nil
    }

    private static func message(_ code: Int32) -> String {
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { room in
        let size = pcre2_get_error_message_8(code, room.baseAddress, room.count)
        return size < 0
          ? "error " + String(code) : String(decoding: room.prefix(Int(size)), as: UTF8.self)
      }
    }

    /// `$1 ${1} $name ${name} $$`: the longest name that there is; an unknown group is empty.
    private func pieces(of replacement: [UInt8]) -> [Piece] {
      var pieces: [Piece] = []
      var text: [UInt8] = []
      var index = 0
      while index < replacement.count {
        let byte = replacement[index]
        index += 1
        guard byte == UInt8(ascii: "$"), index < replacement.count else {
          text.append(byte)
          continue
        }
        if replacement[index] == UInt8(ascii: "$") {
          text.append(byte)
          index += 1
          continue
        }
        var name = replacement[index...].prefix { Self.isWord($0) }
        var end = name.endIndex
        if replacement[index] == UInt8(ascii: "{"),
          let close = replacement[index...].firstIndex(of: UInt8(ascii: "}"))
        {
          name = replacement[(index + 1)..<close]
          end = close + 1
        }
        guard end > index else {
          text.append(byte)
          continue
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        text = []
        if let group = group(name) { pieces.append(.group(group)) }
        index = end
      }
      if !text.isEmpty { pieces.append(.text(text)) }
      return pieces
    }

    private func group(_ name: ArraySlice<UInt8>) -> Int? {
      if name.allSatisfy({ $0 &- 48 < 10 }) { return Int(String(decoding: name, as: UTF8.self)) }
      let text = Array(name) + [0]
      let number = text.withUnsafeBufferPointer {
        pcre2_substring_number_from_name_8(code, $0.baseAddress)
      }
      return number > 0 ? Int(number) : nil
    }
  #endif

  /// Memory for matches, for one thread at a time.
  final class Matcher {
    private let expression: RegularExpression
    private let data: OpaquePointer
    /// Of the last match.
    private(set) var range = 0..<0

    init(_ expression: RegularExpression) throws(WorkpoolError) {
      #if PCRE2
        guard let data = pcre2_match_data_create_from_pattern_8(expression.code, nil) else {
          throw WorkpoolError(.noMemory, "out of memory for a match")
        }
        self.expression = expression
        self.data = data
      #else
        throw WorkpoolError(.invalidArgument, RegularExpression.missing)
      #endif
    }

    deinit {
      #if PCRE2
        pcre2_match_data_free_8(data)
      #endif
    }

    /// Finds the first match from `start` on.
    ///
    /// - Returns: nil where a match takes too long.
    func find(_ bytes: UnsafePointer<UInt8>, _ size: Int, from start: Int = 0) -> Bool? {
      #if PCRE2
        let result = pcre2_match_8(
          expression.code, bytes, size, start, 0, data, expression.context)
        if result == PCRE2_ERROR_NOMATCH { return false }
        guard result > 0, let offsets = pcre2_get_ovector_pointer_8(data) else { return nil }
        // `\K` in a lookahead can put the start behind the end.
        range = min(offsets[0], offsets[1])..<offsets[1]
        return true
      #else
        return nil
      #endif
    }

    /// Puts the replacement of the last match, which was in `bytes`, behind `output`.
    func appendReplacement(
      _ bytes: UnsafePointer<UInt8>, to output: inout GrowableMemory<UInt8>
    ) throws(WorkpoolError) {
      #if PCRE2
        let count = Int(pcre2_get_ovector_count_8(data))
        guard let offsets = pcre2_get_ovector_pointer_8(data) else { return }
        for piece in expression.pieces {
          switch piece {
          case .text(let text): try output.append(text)
          case .group(let group):
            guard group < count, offsets[2 * group] >= 0 else { continue }
            let start = offsets[2 * group]
            guard offsets[2 * group + 1] > start else { continue }
            try output.append(bytes + Int(start), Int(offsets[2 * group + 1] - start))
          }
        }
      #endif
    }
  }
}

extension [UInt8] {
  fileprivate func removing(_ part: StaticString) -> [UInt8] {
    let size = part.utf8CodeUnitCount
    let wanted = UnsafeBufferPointer(start: part.utf8Start, count: size)
    var result: [UInt8] = []
    var index = 0
    while index < count {
      if self[index...].prefix(size).elementsEqual(wanted) {
        index += size
      } else {
        result.append(self[index])
        index += 1
      }
    }
    return result
  }
}
