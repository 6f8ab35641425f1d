// SPDX-License-Identifier: MIT

/// Where the keys of a TOML text stand: the parser that reads the values does not tell.
///
/// The text is walked through once: headers, keys, and values only as far
/// as it takes to find their ends.
struct ConfigurationLines {
  /// A key is its table's names, numbers for arrays of tables, and its own name.
  typealias Path = [String]

  private(set) var lines: [Path: Int] = [:]
  /// In the order of the text.
  private(set) var order: [Path: Int] = [:]
  /// The first header without a name or place without a value: the parser would end the process there.
  private(set) var fault: (line: Int, message: String)?

  private let bytes: [UInt8]
  private var index = 0
  private var line = 1
  private var header: Path = []
  private var tablesInArray: [Path: Int] = [:]

  init(_ text: String) {
    bytes = Array(text.utf8)
    while index < bytes.count { readLine() }
  }

  private mutating func note(_ path: Path) {
    if lines[path] == nil {
      lines[path] = line
      order[path] = order.count
    }
  }

  private mutating func note(_ message: String) {
    if fault == nil { fault = (line, message) }
  }

  private mutating func readLine() {
    skipBlanks()
    guard let byte = next else { return }
    switch byte {
    case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): skipLine()
    case UInt8(ascii: "["):
      readHeader()
      skipLine()
    default:
      let path = header + readKey()
      for end in (header.count + 1)...max(header.count + 1, path.count) where end <= path.count {
        note(Array(path[..<end]))
      }
      if next == UInt8(ascii: "=") {
        index += 1
        readValue(path)
      }
      skipLine()
    }
  }

  private mutating func readHeader() {
    index += 1
    let isArray = next == UInt8(ascii: "[")
    if isArray { index += 1 }
    skipBlanks()
    if !beginsName { note("a header needs a name") }
    var path: Path = []
    let names = readKey()
    for (position, name) in names.enumerated() {
      path.append(name)
      if position < names.count - 1 || !isArray, let count = tablesInArray[path] {
        path.append(String(count - 1))
      }
    }
    note(path)
    if isArray {
      let count = tablesInArray[path] ?? 0
      tablesInArray[path] = count + 1
      path.append(String(count))
      note(path)
    }
    header = path
  }

  /// The names of a dotted key; stops behind it.
  private mutating func readKey() -> Path {
    var names: Path = []
    while true {
      skipBlanks()
      names.append(readName())
      skipBlanks()
      guard next == UInt8(ascii: ".") else { return names }
      index += 1
    }
  }

  private mutating func readName() -> String {
    let start = index
    if let quote = next, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      skipString()
      let inside = bytes[(start + 1)..<max(start + 1, index - 1)]
      // A name with escapes does not find its line; nobody has them.
      return String(decoding: inside, as: UTF8.self)
    }
    while let byte = next, byte &- 48 < 10 || (byte | 32) &- 97 < 26 || byte == 95 || byte == 45 {
      index += 1
    }
    if index == start { index += 1 }
    return String(decoding: bytes[start..<min(index, bytes.count)], as: UTF8.self)
  }

  /// To the end of a value, noting the keys of inline tables on the way.
  private mutating func readValue(_ path: Path) {
    skipBlanks()
    switch next {
    case UInt8(ascii: "{"): readInlineTable(path)
    case UInt8(ascii: "["): readArray(path)
    case UInt8(ascii: "\""), UInt8(ascii: "'"): skipString()
    default:
      let ends: [UInt8] = [44, 93, 125, 10, 13, 35]  // , ] } line end #
      if next.map({ ends.contains($0) }) ?? true { note("a value is missing") }
      while let byte = next, !ends.contains(byte) { index += 1 }
    }
  }

  private mutating func readArray(_ path: Path) {
    index += 1
    var count = 0
    while true {
      skipBlanksAndLines()
      guard let byte = next else { return }
      if byte == UInt8(ascii: "]") {
        index += 1
        return
      }
      if byte == UInt8(ascii: ",") {
        index += 1
        count += 1
        continue
      }
      let start = index
      readValue(path + [String(count)])
      if index == start { index += 1 }  // no value, and so no TOML
    }
  }

  private mutating func readInlineTable(_ path: Path) {
    index += 1
    while true {
      skipBlanksAndLines()
      guard let byte = next else { return }
      if byte == UInt8(ascii: "}") || byte == UInt8(ascii: ",") {
        index += 1
        if byte == UInt8(ascii: "}") { return }
        continue
      }
      let key = path + readKey()
      note(key)
      if next == UInt8(ascii: "=") {
        index += 1
        readValue(key)
      }
    }
  }

  // MARK: Bytes

  private var beginsName: Bool {
    guard let byte = next else { return false }
    return byte &- 48 < 10 || (byte | 32) &- 97 < 26 || byte == 95 || byte == 45
      || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
  }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipBlanks() {
    while let byte = next, byte == 32 || byte == 9 { index += 1 }
  }

  private mutating func skipBlanksAndLines() {
    while let byte = next {
      if byte == UInt8(ascii: "#") {
        while let byte = next, byte != 10 { _ = byte; index += 1 }
      } else if byte == 10 {
        line += 1
        index += 1
      } else if byte == 32 || byte == 9 || byte == 13 {
        index += 1
      } else {
        return
      }
    }
  }

  private mutating func skipLine() {
    while let byte = next {
      index += 1
      if byte == 10 {
        line += 1
        return
      }
    }
  }

  /// A string of one or of several lines, from its first quote to behind its last one.
  private mutating func skipString() {
    guard let quote = next else { return }
    let isLong = bytes[index...].prefix(3).elementsEqual([quote, quote, quote])
    index += isLong ? 3 : 1
    while let byte = next {
      if byte == 10 { line += 1 }
      if byte == UInt8(ascii: "\\") && quote == UInt8(ascii: "\"") {
        if index + 1 < bytes.count && bytes[index + 1] == 10 { line += 1 }
        index += 2
        continue
      }
      index += 1
      guard byte == quote else { continue }
      if !isLong { return }
      if bytes[index...].prefix(2).elementsEqual([quote, quote]) {
        index += 2
        while next == quote { index += 1 }  // up to two quotes may end the text itself
        return
      }
    }
  }
}
