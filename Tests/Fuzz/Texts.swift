// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

@testable import WorkpoolFASTQ
@testable import WorkpoolIO

extension Fuzz {
  /// FASTQ that is packed to gzip in its own way. The first byte cuts the text, or repeats it up to a
  /// whole slice.
  ///
  /// Promise: what is not declined unpacks to the same, and nothing is written behind the room.
  static func pack(_ input: UnsafeRawBufferPointer) {
    guard let choice = input.first, input.count > 1 else { return }
    let text = input.dropFirst()
    var slice: [UInt8] = []
    for _ in 0...Int(choice & 63) where slice.count + text.count <= 1 << 16 { slice += text }
    slice.removeLast(min(Int(choice >> 6), slice.count))
    guard let deflater = try? FASTQDeflater(level: Int(choice & 7) + 1),
      let inflater = try? BlockInflater()
    else { return }
    var packed = [UInt8](repeating: 0xee, count: slice.count + 5 + 16)
    let packing = packed.withUnsafeMutableBytes { packed in
      slice.withUnsafeBytes {
        deflater.deflate($0, into: UnsafeMutableRawBufferPointer(rebasing: packed.dropLast(16)))
      }
    }
    check(packed.suffix(16).allSatisfy { $0 == 0xee }, "nothing behind the room")
    guard case .packed(let size) = packing else { return }
    var made = [UInt8](repeating: 0, count: slice.count)
    let outcome = made.withUnsafeMutableBytes { made in
      packed.withUnsafeBytes {
        inflater.inflate(UnsafeRawBufferPointer(rebasing: $0.prefix(size)), into: made)
      }
    }
    check(outcome == .ended && made == slice, "the same when unpacked")
  }

  /// Expressions, with all variables at some values. Promise: a value or an error, the same twice.
  static func expression(_ input: UnsafeRawBufferPointer) {
    let text = String(decoding: input, as: UTF8.self)
    guard let parsed = try? Expression(text), let again = try? Expression(text) else { return }
    // Constants may be folded to what is no number, and is not equal to itself.
    check(parsed.names == again.names, "the same names when read again")
    let stack = UnsafeMutablePointer<Double>.allocate(capacity: parsed.stackSize)
    defer { stack.deallocate() }
    for value in [0, 1, -2.5, 1e300, .infinity, .nan] {
      let values = [Double](repeating: value, count: parsed.names.count + 1)
      let made = values.withUnsafeBufferPointer { parsed.value($0.baseAddress!, stack: stack) }
      let other = values.withUnsafeBufferPointer { again.value($0.baseAddress!, stack: stack) }
      check(
        made.bitPattern == other.bitPattern || made.isNaN && other.isNaN, "the same value twice")
    }
  }

  /// Regular expressions and their replacements: pattern, replacement and a text, a line each.
  ///
  /// Promise: matches lie within the text.
  static func replacement(_ input: UnsafeRawBufferPointer) {
    let lines = input.split(separator: 10, maxSplits: 2, omittingEmptySubsequences: false)
    guard lines.count == 3 else { return }
    let texts = lines.map { String(decoding: $0, as: UTF8.self) }
    _ = RegularExpression.doubtfulGroup(texts[1])
    guard let expression = try? RegularExpression(texts[0], replacement: texts[1]),
      let matcher = try? RegularExpression.Matcher(expression)
    else { return }
    let text = Array(lines[2]) + [0]
    text.withUnsafeBufferPointer { bytes in
      let size = bytes.count - 1
      var start = 0
      while start <= size, matcher.find(bytes.baseAddress!, size, from: start) == true {
        let range = matcher.range
        check(range.lowerBound >= 0 && range.upperBound <= size, "a match within the text")
        var output = GrowableMemory<UInt8>()
        try? matcher.appendReplacement(bytes.baseAddress!, to: &output)
        start = max(range.upperBound, start + 1)
      }
    }
  }
}
