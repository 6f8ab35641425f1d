// SPDX-License-Identifier: MIT
import Workpool

/// What is wrong with a file: a line that says so, and lines that show it.
struct Difference: Equatable {
  var text: String
  var shown: [String] = []

  init(_ text: String, shown: [String] = []) {
    self.text = text
    self.shown = shown
  }
}

/// The first place where two texts part, as a person looks for it: record, line, column, and both lines.
struct TextDifference {
  /// Lines of a record; 1 where nothing is known of records.
  private let linesOfRecord: Int
  private let path: String
  private let wanted: String
  private let byte: Int
  /// From 0.
  private let line: Int

  init(of path: String, from wanted: String, byte: Int, line: Int) {
    linesOfRecord =
      switch RecordFormat(path: path) {
      case .fastq: 4
      case .fasta: 2
      default: 1
      }
    self.path = path
    self.wanted = wanted
    self.byte = byte
    self.line = line
  }

  func found() throws(WorkpoolError) -> Difference {
    let (record, part) = line.quotientAndRemainder(dividingBy: linesOfRecord)
    let want = try Lines(wanted, from: record * linesOfRecord, count: linesOfRecord)
    let got = try Lines(path, from: record * linesOfRecord, count: linesOfRecord)
    let (ours, theirs) = (got.line(part), want.line(part))
    let column = zip(ours ?? [], theirs ?? []).prefix { $0 == $1 }.count
    var text = ""
    if linesOfRecord > 1 {
      text = "record \(record + 1)"
      if let name = want.line(0) ?? got.line(0) { text += " (\(Self.text(name.dropFirst())))" }
      text += ", \(["name", "sequence", "third line", "quality"][part]), "
    }
    text += "line \(line + 1), column \(column + 1) (byte \(byte))"
    if want.total != got.total {
      let (wants, gets) = (want.total / linesOfRecord, got.total / linesOfRecord)
      text += ": \(wants) \(linesOfRecord > 1 ? "records" : "lines") are wanted, \(gets) are there"
    }
    return Difference(text, shown: Self.shown(theirs, ours, column))
  }

  /// Both lines, from where they still are alike, with a mark below where they part.
  private static func shown(_ want: [UInt8]?, _ got: [UInt8]?, _ column: Int) -> [String] {
    let start = max(0, column - 40)
    func window(_ line: [UInt8]?) -> String {
      guard let line else { return "the end of the file" }
      let part = line[min(start, line.count)...]
      return (start > 0 ? "…" : "") + text(part.prefix(80)) + (part.count > 80 ? "…" : "")
    }
    let lines = ["want  " + window(want), "got   " + window(got)]
    guard want != nil && got != nil else { return lines }
    return lines + [String(repeating: " ", count: 6 + column - start + (start > 0 ? 1 : 0)) + "^"]
  }

  /// A character for each byte, so that columns are right.
  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(bytes.map { 32..<127 ~= $0 ? Character(UnicodeScalar($0)) : "?" })
  }
}

/// Some lines of a file, which may be packed, and how many there are.
private struct Lines {
  private var lines: [[UInt8]] = []
  private(set) var total = 0

  init(_ path: String, from first: Int, count: Int) throws(WorkpoolError) {
    var file = try FileBytes(path, isPacked: false)
    var isInLine = false
    while case let piece = try file.next(), !piece.isEmpty {
      for byte in piece {
        let index = total - first
        if 0..<count ~= index {
          if lines.count == index { lines.append([]) }
          if byte != 10 { lines[index].append(byte) }
        }
        isInLine = byte != 10
        if !isInLine { total += 1 }
      }
    }
    if isInLine { total += 1 }
  }

  func line(_ index: Int) -> [UInt8]? { index < lines.count ? lines[index] : nil }
}
