// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Which items a run has shown already: exactly, or by a filter with a rate of false answers.
final class SeenItems {
  private var table = ByteTable()
  private let filter: CuckooFilter?

  /// - Parameter capacity: items to expect; only a filter asks.
  init(rate: Double, seed: UInt64, capacity: Int) throws(WorkpoolError) {
    filter =
      rate > 0
      ? try CuckooFilter(capacity: max(1, capacity), rate: rate, seed: seed) : nil
  }

  var size: Int { filter?.size ?? table.count }

  /// - Parameter item: its parts one behind the other.
  func seen(_ item: borrowing ItemBytes) throws(WorkpoolError) -> Bool {
    if let filter { return try filter.seen(item.hash) }
    return try !table.add(item.bytes.start, item.bytes.count).isNew
  }

  func add(_ item: borrowing ItemBytes) throws(WorkpoolError) { _ = try seen(item) }

  func contains(_ item: borrowing ItemBytes) -> Bool {
    if let filter { return filter.contains(item.hash) }
    return table.number(of: item.bytes.start, item.bytes.count) != nil
  }
}

/// An item as a filter hashes it: the number of its parts, then each one's length and bytes.
struct ItemBytes: ~Copyable {
  /// The parts without their lengths.
  private(set) var bytes = GrowableMemory<UInt8>()
  private var hasher = SipHash13()

  /// - Parameter parts: nil where the number is left out.
  mutating func begin(parts: Int?) {
    bytes.count = 0
    hasher = SipHash13()
    if let parts { hasher.add(UInt64(parts)) }
  }

  mutating func add(_ part: UnsafePointer<UInt8>, _ size: Int) throws(WorkpoolError) {
    hasher.add(UInt64(size))
    hasher.add(part, size)
    try bytes.append(part, size)
  }

  var hash: UInt64 {
    var hasher = hasher
    return hasher.finish()
  }
}

/// What is known of a run's inputs when it begins.
struct InputFacts: Sendable {
  /// File bytes of the largest segment, or of all files of interleaved input; nil where unknown.
  var bytes: Int?
  var isPacked = false
  var isFASTA = false
  /// Mean length of the sequences of that segment in the first block; 0 if there are none.
  var meanLength = 0.0

  /// Items to expect in a filter, for a number of streams.
  func capacity(streams: Int, configured: Int? = nil) -> Int {
    var items = configured ?? (1 << 27)
    if configured == nil, let bytes, meanLength > 0 {
      // File bytes for each base: names and, in FASTQ, qualities come with them.
      let factor = isFASTA ? (isPacked ? 0.38 : 1.4) : isPacked ? 0.5 : 2.25
      let reads = (Double(bytes) / (meanLength * factor)).rounded(.down)
      items = 1
      while Double(items) < reads && items < 1 << 40 { items <<= 1 }
    }
    return streams > 1 ? (3 * items + 2 * streams - 1) / (2 * streams) : items
  }
}
