// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A tag: a value, or none, for each read of a batch.
///
/// Numbers and booleans are in `values`. Locations and strings are runs of `regions`, whose texts lie
/// one behind the other in `bytes`: however many reads there are, a column is four pieces of memory
/// that are used for block after block.
public final class TagColumn {
  public let kind: TagKind
  /// 1 where there is a value.
  public var present = GrowableMemory<UInt8>()
  /// Numbers; booleans as 1 and 0.
  public var values = GrowableMemory<Double>()
  public var hits = GrowableMemory<TagHit>()
  public var regions = GrowableMemory<TagRegion>()
  public var bytes = GrowableMemory<UInt8>()

  init(_ kind: TagKind) { self.kind = kind }

  /// No read has a value.
  func prepare(_ count: Int) throws(WorkpoolError) {
    try present.resize(count)
    memset(present.start, 0, count)
    switch kind {
    case .numeric, .bool: try values.resize(count)
    case .location, .string:
      try hits.resize(count)
      regions.count = 0
      bytes.count = 0
    }
  }

  /// Gives every read the value 0, and a step the place for its own.
  func clear(_ count: Int) -> UnsafeMutablePointer<Double> {
    memset(present.start, 1, count)
    for read in 0..<count { values.start[read] = 0 }
    return values.start
  }

  func set(_ read: Int, _ value: Bool) {
    present.start[read] = 1
    values.start[read] = value ? 1 : 0
  }

  // MARK: Locations and strings

  /// Begins the value of a read; `add` gives it its regions. Until then it has none.
  func begin(_ read: Int, isLocated: Bool = true) {
    present.start[read] = 1
    hits.start[read] = TagHit(
      first: Int32(truncatingIfNeeded: regions.count), count: 0, isLocated: isLocated)
  }

  /// Adds a region to the value that was begun last.
  func add(
    _ read: Int, segment: Int32, start: Int, length: Int, _ text: UnsafePointer<UInt8>,
    _ textLength: Int
  ) throws(WorkpoolError) {
    let place = bytes.count
    try bytes.append(text, textLength)
    try add(
      read,
      TagRegion(
        segment: segment, start: start, length: length, text: place, textLength: textLength))
  }

  /// The same for a text that is in `bytes` already.
  func add(_ read: Int, _ region: TagRegion) throws(WorkpoolError) {
    guard regions.count < Int(Int32.max) else {
      throw WorkpoolError(.noMemory, "a block has more regions than can be counted")
    }
    try regions.resize(regions.count + 1)
    regions.start[regions.count - 1] = region
    hits.start[read].count += 1
  }

  /// Makes `text` the value of a read.
  func set(_ read: Int, _ text: UnsafePointer<UInt8>, _ size: Int) throws(WorkpoolError) {
    begin(read, isLocated: false)
    try add(read, segment: TagRegion.nowhere, start: 0, length: size, text, size)
  }

  /// The regions of a read that has a value.
  @inline(__always)
  func regions(of read: Int) -> UnsafeMutableBufferPointer<TagRegion> {
    let hit = hits.start[read]
    return UnsafeMutableBufferPointer(
      start: regions.start + Int(hit.first), count: Int(hit.count))
  }

  /// Bytes of the value: bases covered where it has a place, else bytes of its text; 0 if missing.
  func length(of read: Int) -> Int {
    guard present.start[read] != 0 else { return 0 }
    let isLocated = hits.start[read].isLocated
    var length = 0
    for region in regions(of: read) { length += isLocated ? region.length : region.textLength }
    return length
  }

  /// Bases that the value covers, none where it has lost its place; bytes of what is text alone; 0 if
  /// missing.
  func coverage(of read: Int) -> Int {
    guard present.start[read] != 0 else { return 0 }
    let isLocated = hits.start[read].isLocated
    var length = 0
    for region in regions(of: read) {
      if region.segment == TagRegion.nowhere {
        length += region.textLength
      } else if isLocated {
        length += region.length
      }
    }
    return length
  }

  /// Puts the text of a read's value behind `output`, its regions with `separator` between them.
  ///
  /// - Parameter skipsEmptyStart: nothing stands between empty regions at the start and the next one.
  func appendText(
    of read: Int, separator: [UInt8], to output: inout GrowableMemory<UInt8>,
    skipsEmptyStart: Bool = false
  ) throws(WorkpoolError) {
    guard present.start[read] != 0 else { return }
    let begin = output.count
    for (index, region) in regions(of: read).enumerated() {
      if skipsEmptyStart ? output.count > begin : index > 0 { try output.append(separator) }
      try output.append(bytes.start + region.text, region.textLength)
    }
  }
}

extension GrowableMemory where Element == UInt8 {
  mutating func append(_ bytes: [UInt8]) throws(WorkpoolError) {
    for byte in bytes { try append(byte) }
  }

  @inline(__always)
  mutating func append(_ byte: UInt8) throws(WorkpoolError) {
    try resize(count + 1)
    start[count - 1] = byte
  }

  mutating func append(_ text: StaticString) throws(WorkpoolError) {
    try append(text.utf8Start, text.utf8CodeUnitCount)
  }

  /// A whole number in decimal.
  mutating func append(decimal number: Int) throws(WorkpoolError) {
    if number < 0 { try append(UInt8(ascii: "-")) }
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var rest = number.magnitude
    var first = 20
    repeat {
      first -= 1
      digits[first] = UInt8(48 + rest % 10)
      rest /= 10
    } while rest > 0
    for index in first..<20 { try append(digits[index]) }
  }
}
