// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// How often a tag has which value: numbers rounded, half away from zero.
struct TagHistogram: ~Copyable {
  private var table = ByteTable()
  private var counts = GrowableMemory<Int>()

  mutating func clear() {
    table.removeAll()
    counts.count = 0
  }

  mutating func add(
    _ value: UnsafePointer<UInt8>, _ size: Int, count: Int = 1
  ) throws(WorkpoolError) {
    let (number, isNew) = try table.add(value, size)
    if isNew {
      try counts.resize(number + 1)
      counts.start[number] = 0
    }
    counts.start[number] += count
  }

  mutating func add(_ other: borrowing TagHistogram) throws(WorkpoolError) {
    for number in 0..<other.table.count {
      let value = other.table.bytes(number)
      guard let start = value.baseAddress else { continue }
      try add(start, value.count, count: other.counts.start[number])
    }
  }

  private func count(of value: String) -> Int {
    for number in 0..<table.count where table.bytes(number).elementsEqual(value.utf8) {
      return counts.start[number]
    }
    return 0
  }

  /// The value of a read as it is counted; nil for what is not.
  static func value(
    _ column: TagColumn, _ read: Int, into text: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) -> Bool {
    text.count = 0
    let isThere = column.present.start[read] != 0
    switch column.kind {
    case .location, .string:
      try column.appendText(of: read, separator: [UInt8(ascii: "_")], to: &text)
      return true
    case .bool:
      if isThere { try text.append(column.values.start[read] != 0 ? "true" : "false") }
      return isThere
    case .numeric:
      if isThere {
        let number = column.values.start[read]
        try text.append(decimal: Self.whole(number))
      }
      return isThere
    }
  }

  /// Rounded half away from zero; no number counts as 0, and what is too large as the largest.
  private static func whole(_ number: Double) -> Int {
    let rounded = number.rounded(.toNearestOrAwayFromZero)
    if rounded.isNaN { return 0 }
    return Int(exactly: rounded) ?? (rounded < 0 ? Int.min : Int.max)
  }

  /// - Parameter kind: of the tag; both values of a boolean one are there, also if one never came.
  func write(to json: inout JSONText, _ kind: TagKind) {
    json.beginObject()
    if kind == .bool {
      for value in ["false", "true"] {
        json.key(value)
        json.number(count(of: value))
      }
      return json.endObject()
    }
    let order = (0..<table.count).sorted {
      table.bytes($0).lexicographicallyPrecedes(table.bytes($1))
    }
    for number in order {
      json.key(String(decoding: table.bytes(number), as: UTF8.self))
      json.number(counts.start[number])
    }
    json.endObject()
  }
}
