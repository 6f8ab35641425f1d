// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// What a Report was asked for.
struct ReportParts {
  let count: Bool
  let lengths: Bool
  let bases: Bool
  let duplicateReads: Bool
  let duplicateFragments: Bool
  let oligos: [[UInt8]]
  let oligoSegments: Range<Int>
  let histograms: [TagReference]
  /// Of the filter that looks for duplicates.
  let rate: Double

  init(_ arguments: StepArguments) {
    count = arguments.bool("count")
    lengths = arguments.bool("length_distribution")
    bases = arguments.bool("base_statistics")
    duplicateReads = arguments.bool("duplicate_count_per_read")
    duplicateFragments = arguments.bool("duplicate_count_per_fragment")
    oligos =
      arguments.has("count_oligos") ? arguments.texts("count_oligos").map { Array($0.utf8) } : []
    oligoSegments = arguments.segments("count_oligos_segment")
    histograms = arguments.tags("tag_histograms")
    rate = arguments.bool("debug_reproducibility") ? 0.1 : 0.01
  }

  static let seed: UInt64 = 42
  var hasDuplicates: Bool { duplicateReads || duplicateFragments }
}

/// The sums of one stream, over a batch or over the run.
final class ReportSums {
  private var reads = 0
  private var segments: [ReadStatistics]
  private(set) var oligos: [Int]
  private let histograms: [Histogram]
  /// Of a batch: hashes of the sequences of each segment, and of whole fragments.
  private var readHashes: [[UInt64]]
  private var fragmentHashes: [UInt64] = []
  // Of the run.
  private var readFilters: [SeenFilter]
  private var fragmentFilter = SeenFilter()

  /// An array can hold these.
  private final class Histogram { var values = TagHistogram() }

  private struct SeenFilter {
    var filter: CuckooFilter?
    var duplicates = 0

    mutating func add(
      _ hashes: [UInt64], rate: Double, capacity: () -> Int
    ) throws(WorkpoolError) {
      if hashes.isEmpty { return }
      if filter == nil {
        filter = try CuckooFilter(
          capacity: max(1, capacity()), rate: rate, seed: ReportParts.seed)
      }
      guard let filter else { return }
      for hash in hashes {
        if try filter.seen(hash) { duplicates += 1 }
      }
    }
  }

  init(segments count: Int, _ parts: ReportParts) {
    segments = Array(repeating: ReadStatistics(), count: count)
    oligos = Array(repeating: 0, count: parts.oligos.count)
    histograms = parts.histograms.map { _ in Histogram() }
    readHashes = Array(repeating: [], count: count)
    readFilters = Array(repeating: SeenFilter(), count: count)
  }

  func clear() {
    reads = 0
    for index in segments.indices { segments[index].clear() }
    for index in oligos.indices { oligos[index] = 0 }
    for histogram in histograms { histogram.values.clear() }
    for index in readHashes.indices { readHashes[index].removeAll(keepingCapacity: true) }
    fragmentHashes.removeAll(keepingCapacity: true)
  }

  func add(
    _ batch: FASTQBatch, _ read: Int, _ parts: ReportParts, _ tables: BaseTables,
    _ text: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    reads += 1
    var fragment = SipHash13()
    fragment.add(UInt64(segments.count))
    for index in segments.indices {
      let record = batch.segments[index].records.start[read]
      let bytes = batch.segments[index].text.bytes.start
      let bases = UnsafePointer(bytes + record.sequence)
      if parts.lengths { segments[index].addLength(record.length) }
      if parts.bases {
        segments[index].addBases(bases, bytes + record.quality, record.length, tables)
      }
      if parts.duplicateReads {
        var hasher = SipHash13()
        hasher.add(UInt64(record.length))
        hasher.add(bases, record.length)
        readHashes[index].append(hasher.finish())
      }
      if parts.duplicateFragments {
        fragment.add(UInt64(record.length))
        fragment.add(bases, record.length)
      }
      guard parts.oligoSegments.contains(index) else { continue }
      for (number, oligo) in parts.oligos.enumerated() where contains(bases, record.length, oligo) {
        oligos[number] += 1
      }
    }
    if parts.duplicateFragments { fragmentHashes.append(fragment.finish()) }
    for (histogram, tag) in zip(histograms, parts.histograms) {
      if try TagHistogram.value(batch.columns[tag.column], read, into: &text) {
        try histogram.values.add(text.start, text.count)
      }
    }
  }

  private func contains(_ bases: UnsafePointer<UInt8>, _ length: Int, _ oligo: [UInt8]) -> Bool {
    var from = bases
    var rest = length
    while rest >= oligo.count, let found = memchr(from, Int32(oligo[0]), rest - oligo.count + 1) {
      if memcmp(found, oligo, oligo.count) == 0 { return true }
      let next = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) + 1
      rest -= next - from
      from = next
    }
    return false
  }

  /// Adds the sums of the next batch.
  func add(
    _ batch: ReportSums, _ parts: ReportParts, capacity: () -> Int
  ) throws(WorkpoolError) {
    reads += batch.reads
    for index in segments.indices {
      segments[index].add(batch.segments[index])
      try readFilters[index].add(
        batch.readHashes[index], rate: parts.rate, capacity: capacity)
    }
    try fragmentFilter.add(batch.fragmentHashes, rate: parts.rate, capacity: capacity)
    for index in oligos.indices { oligos[index] += batch.oligos[index] }
    for (own, other) in zip(histograms, batch.histograms) { try own.values.add(other.values) }
  }

  var filterSize: Int {
    readFilters.reduce(fragmentFilter.filter?.size ?? 0) { $0 + ($1.filter?.size ?? 0) }
  }

  func write(to json: inout JSONText, _ parts: ReportParts, _ names: [String]) {
    if parts.count {
      json.key("molecule_count")
      json.number(reads)
    }
    if parts.duplicateFragments {
      json.key("fragment_duplicate_count")
      json.number(fragmentFilter.duplicates)
    }
    guard parts.lengths || parts.bases || parts.duplicateReads else { return }
    for (index, name) in names.enumerated() {
      json.key(name)
      json.beginObject()
      segments[index].write(to: &json, lengths: parts.lengths, bases: parts.bases)
      if parts.duplicateReads {
        json.key("duplicate_count")
        json.number(readFilters[index].duplicates)
      }
      json.endObject()
    }
  }

  func writeHistograms(to json: inout JSONText, _ parts: ReportParts) {
    json.beginObject()
    for (histogram, tag) in zip(histograms, parts.histograms) {
      json.key(tag.label)
      histogram.values.write(to: &json, tag.kind)
    }
    json.endObject()
  }
}
