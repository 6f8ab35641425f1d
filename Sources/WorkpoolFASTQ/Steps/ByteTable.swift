// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Different byte strings, numbered in the order in which they were added. Open addressing over one
/// piece of memory for all bytes: no allocation per string.
struct ByteTable: ~Copyable {
  private struct Entry: BitwiseCopyable {
    var hash: UInt64
    var start: Int
    var size: Int
  }

  private var slots = GrowableMemory<Int32>()
  private var entries = GrowableMemory<Entry>()
  private var bytes = GrowableMemory<UInt8>()

  var count: Int { entries.count }

  mutating func removeAll() {
    slots.count = 0
    entries.count = 0
    bytes.count = 0
  }

  func bytes(_ number: Int) -> UnsafeBufferPointer<UInt8> {
    let entry = entries.start[number]
    return UnsafeBufferPointer(start: bytes.start + entry.start, count: entry.size)
  }

  /// - Returns: the string's number, if it is there.
  func number(of key: UnsafePointer<UInt8>, _ size: Int) -> Int? {
    guard slots.count > 0 else { return nil }
    let number = slots.start[slot(key, size, SipHash13.hash(key, size))]
    return number < 0 ? nil : Int(number)
  }

  /// - Returns: the string's number, and whether it is new.
  mutating func add(
    _ key: UnsafePointer<UInt8>, _ size: Int
  ) throws(WorkpoolError) -> (number: Int, isNew: Bool) {
    if 2 * (entries.count + 1) > slots.count { try grow() }
    let hash = SipHash13.hash(key, size)
    let place = slot(key, size, hash)
    if slots.start[place] >= 0 { return (Int(slots.start[place]), false) }
    guard entries.count < Int(Int32.max) / 4 else {
      throw WorkpoolError(.noMemory, "more different values than can be kept")
    }
    let start = bytes.count
    try bytes.append(key, size)
    try entries.resize(entries.count + 1)
    entries.start[entries.count - 1] = Entry(hash: hash, start: start, size: size)
    slots.start[place] = Int32(entries.count - 1)
    return (entries.count - 1, true)
  }

  /// Where the string is, or where it would be.
  private func slot(_ key: UnsafePointer<UInt8>, _ size: Int, _ hash: UInt64) -> Int {
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while true {
      let number = slots.start[place]
      if number < 0 { return place }
      let entry = entries.start[Int(number)]
      if entry.hash == hash, entry.size == size, memcmp(bytes.start + entry.start, key, size) == 0 {
        return place
      }
      place = (place + 1) & mask
    }
  }

  private mutating func grow() throws(WorkpoolError) {
    let size = max(64, slots.count * 2)
    try slots.resize(size)
    for index in 0..<size { slots.start[index] = -1 }
    for number in 0..<entries.count {
      var place = Int(truncatingIfNeeded: entries.start[number].hash) & (size - 1)
      while slots.start[place] >= 0 { place = (place + 1) & (size - 1) }
      slots.start[place] = Int32(number)
    }
  }
}
