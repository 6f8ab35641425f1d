// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO

/// Reads a whole file of sequences that a step needs besides the reads: FASTQ or
/// FASTA, packed or not, or BAM.
enum SequenceFile {
  /// A name and a sequence, both for as long as the call.
  typealias Visit = (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) throws(WorkpoolError)
    -> Void

  /// Which records of a BAM file count.
  struct Included {
    var mapped = true
    var unmapped = true
  }

  static func read(
    _ path: String, _ included: Included = Included(), _ visit: Visit
  ) throws(WorkpoolError) {
    let reader = try CompressedReader(path: path, options: CompressedReader.Options())
    switch try reader.recordFormat() {
    case .fasta: try readFASTA(reader, visit)
    case .fastq: try readFASTQ(path, visit)
    case .bam:
      var records = try BAMRecords(reader, path: path)
      try records.each { (isMapped, name, sequence) throws(WorkpoolError) in
        if isMapped ? included.mapped : included.unmapped { try visit(name, sequence) }
      }
    case nil: break
    }
  }

  private static func readFASTQ(_ path: String, _ visit: Visit) throws(WorkpoolError) {
    let reader = try JoinedBlockReader(
      [.path(path)], splitter: .fastq(FASTQSplitter(records: 10_000)), records: .fastq,
      options: CompressedReader.Options())
    let batch = try FASTQBatch(segments: 1)
    let text = batch.segments[0].text
    while true {
      batch.clear()
      let extent = try reader.next { (size) throws(WorkpoolError) in try text.bytes.room(size) }
      guard let extent else { return }
      text.bytes.count = extent.size
      text.origin = FASTQOrigin(
        path: path, record: Int(extent.recordsBefore), line: Int(extent.linesBefore),
        byte: Int(extent.offset))
      try batch.parse(endsFile: true)
      for read in 0..<batch.count {
        let record = batch.segments[0].records.start[read]
        try visit(
          UnsafeBufferPointer(start: text.bytes.start + record.name, count: record.nameLength),
          UnsafeBufferPointer(start: text.bytes.start + record.sequence, count: record.length))
      }
    }
  }

  /// Line by line; the lines of a sequence are joined.
  private static func readFASTA(_ reader: CompressedReader, _ visit: Visit) throws(WorkpoolError) {
    var parser = FASTAParser()
    var buffer = GrowableMemory<UInt8>()
    try buffer.resize(256 << 10)
    while true {
      let count = try reader.read(
        into: UnsafeMutableRawBufferPointer(start: buffer.start, count: buffer.count))
      if count == 0 { break }
      try parser.add(UnsafeBufferPointer(start: buffer.start, count: count), visit)
    }
    try parser.end(visit)
  }
}

/// Takes FASTA in pieces of any size.
struct FASTAParser: ~Copyable {
  private enum State { case lineStart, name, sequence }

  private var state = State.lineStart
  private var hasRecord = false
  private var name = GrowableMemory<UInt8>()
  private var sequence = GrowableMemory<UInt8>()

  mutating func add(
    _ bytes: UnsafeBufferPointer<UInt8>, _ visit: SequenceFile.Visit
  ) throws(WorkpoolError) {
    for byte in bytes {
      if byte == 10 {
        state = .lineStart
      } else if byte == 13 {
        continue
      } else if state == .lineStart && byte == UInt8(ascii: ">") {
        try end(visit)
        hasRecord = true
        state = .name
      } else if state == .name {
        try name.append(byte)
      } else {
        state = .sequence
        if byte != 32 && byte != 9 { try sequence.append(byte) }
      }
    }
  }

  /// Shows the last record.
  mutating func end(_ visit: SequenceFile.Visit) throws(WorkpoolError) {
    if hasRecord {
      try visit(
        UnsafeBufferPointer(start: name.start, count: name.count),
        UnsafeBufferPointer(start: sequence.start, count: sequence.count))
    }
    hasRecord = false
    name.count = 0
    sequence.count = 0
  }
}
