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
        // -0 is written as 0.
        try text.append(number.rounded(.toNearestOrAwayFromZero) + 0, .plain)
      }
      return isThere
    }
  }

  func write(to json: inout JSONText) {
    json.beginObject()
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
