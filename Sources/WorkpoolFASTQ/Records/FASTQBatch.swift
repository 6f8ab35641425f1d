// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// One segment's records of a batch.
public final class FASTQSegment {
  public internal(set) var text: FASTQText
  public var records = GrowableMemory<FASTQRecord>()

  init(text: FASTQText) { self.text = text }
}

/// The next `count` reads of every segment, as one block of the pipeline carries them.
///
/// Made once and used for block after block: `texts` are filled, `parse` finds the records, steps
/// change them in place or drop reads, `FASTQEncoder` writes those that are kept. A read is
/// dropped by a mark, so its number and its place in the input stay known.
///
/// Threads: one at a time.
public final class FASTQBatch {
  public let segments: [FASTQSegment]
  /// Whether all segments come from one text, record by record in turn.
  public let isInterleaved: Bool
  /// The tags of the recipe.
  public let columns: [TagColumn]
  /// What each step of the recipe took and left of this batch.
  public var counters = GrowableMemory<StepCounters>()

  /// Reads (molecules: one record of each segment) of the batch, dropped ones included.
  public private(set) var count = 0
  /// Reads that no step has dropped.
  public internal(set) var keptCount = 0
  /// 1 for reads that are kept, 0 for dropped ones.
  public internal(set) var keep = GrowableMemory<UInt8>()
  /// Number of each read's output stream, in a recipe that demultiplexes.
  public var streams = GrowableMemory<UInt32>()
  /// Whether `streams` is kept.
  var hasStreams = false
  /// For a step with a condition: 1 for the reads that it acts on.
  var acting = GrowableMemory<UInt8>()
  /// What the steps that look at whole runs found in this batch.
  var partials: [StepPartial?]
  /// What is known of the inputs; the mean length is this batch's.
  var facts = InputFacts()
  /// Reads of the whole input before this batch.
  public var firstRead = 0
  /// Whether a step has put reads of many blocks together here, which stand in no order of the input.
  var isCollected = false

  /// - Parameter columns: the kind of each tag that the recipe's steps make.
  /// - Parameter steps: steps of the recipe, each of which counts.
  public init(segments: Int, isInterleaved: Bool = false, columns: [TagKind] = [], steps: Int = 0)
    throws(WorkpoolError)
  {
    precondition(segments >= 1, "a batch has a segment")
    let shared = FASTQText()
    self.segments = (0..<segments).map { index in
      FASTQSegment(text: isInterleaved || index == 0 ? shared : FASTQText())
    }
    self.isInterleaved = isInterleaved
    self.columns = columns.map { TagColumn($0) }
    partials = Array(repeating: nil, count: steps)
    try counters.resize(steps)
    clear()
  }

  /// Forgets all reads and keeps the memory.
  public func clear() {
    count = 0
    keptCount = 0
    keep.count = 0
    firstRead = 0
    isCollected = false
    for segment in segments {
      segment.records.count = 0
      segment.text.bytes.count = 0
      segment.text.parsedCount = 0
      segment.text.origin = FASTQOrigin()
      segment.text.fakeQuality = nil
    }
    for index in 0..<counters.count { counters.start[index] = StepCounters() }
  }

  /// Finds the records in the texts, which the caller has filled; then all reads are kept.
  ///
  /// - Parameter endsFile: whether nothing of the files follows these texts.
  /// - Throws: `malformedRecord` or `truncatedInput` for the first record in the order of the
  ///   reads that breaks a rule, or where one file holds more records than another; `noMemory`.
  public func parse(endsFile: Bool) throws(WorkpoolError) {
    count = 0
    keptCount = 0
    if isInterleaved {
      try FASTQParser.parse(segments[0], endsFile: endsFile)?.raise()
      try deinterleave()
    } else {
      var first: FASTQFault?
      for segment in segments {
        let fault = try FASTQParser.parse(segment, endsFile: endsFile)
        if let fault, fault.record < first?.record ?? Int.max { first = fault }
      }
      try first?.raise()
      try checkEqualCounts()
    }
    try setParsed(segments[0].records.count)
  }

  /// The records are found: all `reads` of them are kept.
  func setParsed(_ reads: Int) throws(WorkpoolError) {
    try keep.resize(reads)
    memset(keep.start, 1, reads)
    for column in columns { try column.prepare(reads) }
    if hasStreams {
      try streams.resize(reads)
      for read in 0..<reads { streams.start[read] = 0 }
    }
    count = reads
    keptCount = reads
  }

  /// Drops the reads whose byte of `mask`, which has `count` bytes, is 0.
  public func drop(where mask: UnsafePointer<UInt8>) {
    var kept = 0
    for read in 0..<count {
      let stays = keep.start[read] & (mask[read] == 0 ? 0 : 1)
      keep.start[read] = stays
      kept &+= Int(stays)
    }
    keptCount = kept
  }

  /// Drops kept reads by their number among the kept ones.
  func dropKept(_ numbers: Range<Int>) {
    guard !numbers.isEmpty else { return }
    var number = 0
    for read in 0..<count where keep.start[read] != 0 {
      if numbers.contains(number) { keep.start[read] = 0 }
      number &+= 1
    }
    keptCount -= numbers.count
  }

  /// Bases of the kept reads, all segments together.
  public var keptBases: Int {
    var bases = 0
    for segment in segments {
      let records = segment.records.start
      for read in 0..<count where keep.start[read] != 0 { bases &+= records[read].length }
    }
    return bases
  }

  /// `record 118: read r117`, with the record's number in its file.
  public func place(read: Int, segment: Int) -> String {
    if isCollected { return "read " + name(read: read, segment: segment) }
    let text = segments[segment].text
    let inBlock = isInterleaved ? read * segments.count + segment : read
    return "record " + String(text.origin.record + inBlock + 1) + ": read "
      + name(read: read, segment: segment)
  }

  /// The name as text, shortened where it is very long.
  public func name(read: Int, segment: Int) -> String {
    let record = segments[segment].records.start[read]
    return visibleText(segments[segment].text.bytes.start + record.name, record.nameLength)
  }

  /// Deals the records of the shared text out to the segments, in turn.
  private func deinterleave() throws(WorkpoolError) {
    let stream = segments[0].records.count
    let (reads, remainder) = stream.quotientAndRemainder(dividingBy: segments.count)
    guard remainder == 0 else {
      let origin = segments[0].text.origin
      throw WorkpoolError(
        .malformedRecord,
        "interleaved input of " + String(segments.count) + " segments ends after "
          + String(origin.record + stream) + " records, inside a set", path: origin.path)
    }
    let all = segments[0].records.start
    for index in 1..<max(1, segments.count) {
      try segments[index].records.resize(reads)
      let records = segments[index].records.start
      for read in 0..<reads { records[read] = all[read &* segments.count &+ index] }
    }
    for read in 0..<reads { all[read] = all[read &* segments.count] }
    segments[0].records.count = reads
  }

  private func checkEqualCounts() throws(WorkpoolError) {
    guard let shortest = segments.min(by: { $0.records.count < $1.records.count }),
      let longest = segments.first(where: { $0.records.count > shortest.records.count })
    else { return }
    let short = shortest.text.origin
    throw WorkpoolError(
      .malformedRecord,
      "the file holds " + String(short.record + shortest.records.count) + " records, but "
        + (longest.text.origin.path ?? "another segment") + " holds at least "
        + String(longest.text.origin.record + longest.records.count), path: short.path)
  }
}
