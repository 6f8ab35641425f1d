// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Says what is wrong with the record at `record`, which the parser could not read.
struct FASTQDiagnosis {
  var origin: FASTQOrigin
  var start: UnsafePointer<UInt8>
  var end: UnsafePointer<UInt8>
  var record: UnsafePointer<UInt8>
  /// Number of the record in the text, from 0.
  var number: Int

  /// One line without its end; `next` is where the following one begins, nil after a last line
  /// that has no end.
  private struct Line {
    var start: UnsafePointer<UInt8>
    var size: Int
    var next: UnsafePointer<UInt8>?

    func begins(with byte: UInt8) -> Bool { size > 0 && start.pointee == byte }
  }

  func error() -> WorkpoolError {
    let first = line(at: record)
    guard first.size > 0 else { return broken("blank line between records") }
    guard first.begins(with: UInt8(ascii: "@")) else {
      return broken("the record begins with " + visibleByte(first.start.pointee) + ", not with '@'")
    }
    let name = first.size > 1 ? visibleText(first.start + 1, first.size - 1) : nil
    guard let second = first.next.map(line) else { return cut("has only its name line", name) }
    guard let name else { return broken("the name is empty") }
    guard let third = second.next.map(line), third.start < end else {
      return cut("has no third line", name)
    }
    guard third.begins(with: UInt8(ascii: "+")) else {
      if isWrapped(from: third) {
        return broken(
          "the sequence is wrapped over several lines; a record has exactly four lines", name)
      }
      let found = third.size > 0 ? "begins with " + visibleByte(third.start.pointee) : "is empty"
      return broken("the third line " + found + " where '+' is needed", name)
    }
    guard let fourth = third.next.map(line) else { return cut("has no quality", name) }
    let lengths = " (" + String(fourth.size) + " and " + String(second.size) + " bytes)"
    if fourth.size < second.size {
      let text = "quality is shorter than sequence" + lengths
      return fourth.next == nil ? cut(text, name) : broken(text, name)
    }
    if fourth.size > second.size {
      return broken("quality is longer than sequence" + lengths, name)
    }
    return cut("has no line end after its quality", name)
  }

  private func line(at start: UnsafePointer<UInt8>) -> Line {
    let newline = memchr(start, 10, end - start).map {
      UnsafePointer($0.assumingMemoryBound(to: UInt8.self))
    }
    let stop = newline ?? end
    let dropped = stop > start && stop[-1] == UInt8(ascii: "\r") ? 1 : 0
    return Line(start: start, size: stop - start - dropped, next: newline.map { $0 + 1 })
  }

  /// Whether more sequence lines come before a line that begins with `+`.
  private func isWrapped(from third: Line) -> Bool {
    var current = third
    while current.size > 0, !current.begins(with: UInt8(ascii: "@")) {
      if current.begins(with: UInt8(ascii: "+")) { return true }
      guard let next = current.next else { return false }
      current = line(at: next)
    }
    return false
  }

  private func broken(_ message: String, _ name: String? = nil) -> WorkpoolError {
    WorkpoolError(.malformedRecord, message, path: origin.path, place: place(name))
  }

  private func cut(_ message: String, _ name: String?) -> WorkpoolError {
    WorkpoolError(
      .truncatedInput, "the input ends inside the record: " + message, path: origin.path,
      place: place(name))
  }

  private func place(_ name: String?) -> String {
    "record " + String(origin.record + number + 1)
      + " (line " + String(origin.line + 4 * number + 1)
      + ", byte " + String(origin.byte + (record - start)) + ")"
      + (name.map { ": read " + $0 } ?? "")
  }
}
