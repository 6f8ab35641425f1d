// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// What a Report says about the reads of one segment: sums, so that those of two batches can be added.
struct ReadStatistics {
  private(set) var lengths: [Int] = []
  private(set) var q20 = 0
  private(set) var q30 = 0
  /// For each position A, C, G, T, others, and room that makes its place a shift.
  private(set) var counts: [Int] = []
  private static let room = 8
  /// For each position, the sum of the error probabilities.
  private(set) var errors: [Double] = []

  /// Forgets all and keeps the memory.
  mutating func clear() {
    lengths.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
    errors.removeAll(keepingCapacity: true)
    (q20, q30) = (0, 0)
  }

  mutating func addLength(_ length: Int) {
    if length >= lengths.count {
      lengths.append(contentsOf: repeatElement(0, count: length + 1 - lengths.count))
    }
    lengths[length] += 1
  }

  mutating func addBases(
    _ bases: UnsafePointer<UInt8>, _ quality: UnsafePointer<UInt8>, _ length: Int,
    _ tables: BaseTables
  ) {
    if length > errors.count {
      counts.append(contentsOf: repeatElement(0, count: Self.room * (length - errors.count)))
      errors.append(contentsOf: repeatElement(0, count: length - errors.count))
    }
    // A loop for each: together they have more to keep than there are registers.
    let classes = UnsafePointer(tables.classes.start)
    counts.withUnsafeMutableBufferPointer { counts in
      for index in 0..<length {
        counts[Self.room &* index &+ Int(classes[Int(bases[index])])] &+= 1
      }
    }
    let probabilities = UnsafePointer(tables.probabilities.start)
    errors.withUnsafeMutableBufferPointer { errors in
      for index in 0..<length { errors[index] += probabilities[Int(quality[index])] }
    }
    let (good, best) = Self.count(quality, length)
    q20 += good
    q30 += best
  }

  /// Qualities from 20 on, and from 30 on.
  private static func count(_ quality: UnsafePointer<UInt8>, _ length: Int) -> (Int, Int) {
    var (good, best) = (0, 0)
    var index = 0
    while index &+ 8 <= length {
      let eight = UnsafeRawPointer(quality + index).loadUnaligned(as: UInt64.self)
      good &+= countOfEight(eight, from: 53)
      best &+= countOfEight(eight, from: 63)
      index &+= 8
    }
    while index < length {
      good &+= quality[index] >= 53 ? 1 : 0
      best &+= quality[index] >= 63 ? 1 : 0
      index &+= 1
    }
    return (good, best)
  }

  /// How many of eight bytes are `least` or more. The highest bit of each is what the subtraction borrows
  /// from, so that no byte touches its neighbour.
  @inline(__always)
  private static func countOfEight(_ bytes: UInt64, from least: UInt64) -> Int {
    let highest: UInt64 = 0x8080_8080_8080_8080
    let rest = (bytes | highest) &- least &* 0x0101_0101_0101_0101
    return ((rest | bytes) & highest).nonzeroBitCount
  }

  mutating func add(_ other: Self) {
    Self.add(&lengths, other.lengths)
    Self.add(&counts, other.counts)
    Self.add(&errors, other.errors)
    q20 += other.q20
    q30 += other.q30
  }

  private static func add<Number: AdditiveArithmetic>(_ sums: inout [Number], _ more: [Number]) {
    if more.count > sums.count {
      sums.append(contentsOf: repeatElement(Number.zero, count: more.count - sums.count))
    }
    for index in more.indices { sums[index] += more[index] }
  }

  func write(to json: inout JSONText, lengths hasLengths: Bool, bases hasBases: Bool) {
    if hasLengths {
      json.key("length_distribution")
      json.beginArray()
      for count in lengths { json.number(count) }
      json.endArray()
    }
    guard hasBases else { return }
    json.key("base_statistics")
    json.beginObject()
    json.key("total_bases")
    json.number(counts.reduce(0, +))
    json.key("q20_bases")
    json.number(q20)
    json.key("q30_bases")
    json.number(q30)
    json.key("expected_errors_from_quality_curve")
    json.beginArray()
    for sum in errors { json.number(sum) }
    json.endArray()
    json.key("gc_bases")
    json.number(sum(of: 1) + sum(of: 2))
    json.key("per_position_counts")
    json.beginObject()
    for (base, name) in ["a", "c", "g", "t", "n"].enumerated() {
      json.key(name)
      json.beginArray()
      for position in errors.indices { json.number(counts[Self.room * position + base]) }
      json.endArray()
    }
    json.endObject()
    json.endObject()
  }

  private func sum(of base: Int) -> Int {
    stride(from: base, to: counts.count, by: Self.room).reduce(0) { $0 + counts[$1] }
  }
}

/// What each byte of a sequence and of a quality stands for.
final class BaseTables: @unchecked Sendable {
  /// 0 to 3 for A, C, G, T in either case, 4 for the rest.
  fileprivate var classes = GrowableMemory<UInt8>()
  /// 10^(−(q − 33)/10).
  fileprivate var probabilities = GrowableMemory<Double>()

  init() throws(WorkpoolError) {
    try classes.resize(256)
    try probabilities.resize(256)
    for byte in 0..<256 {
      let base = IUPAC.isBase(UInt8(byte) & 0xdf) && byte >= 65 ? IUPAC.bases(of: UInt8(byte)) : 0
      classes.start[byte] = base == 0 ? 4 : UInt8(base.trailingZeroBitCount)
      probabilities.start[byte] = pow(10, -Double(byte - 33) / 10)
    }
  }
}
