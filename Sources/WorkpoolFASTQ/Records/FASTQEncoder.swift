// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Writes the kept reads of a batch as FASTQ: `@name\nsequence\n+\nquality\n`.
public enum FASTQEncoder {
  /// Puts the records of `segments`, in turn read by read, behind what `output` holds.
  /// With a `stream`, only the reads that are dealt out to it.
  ///
  /// Neighbours in the text that are still in canonical form are copied in one go.
  ///
  /// - Throws: `noMemory`; `output` is as before then.
  /// - Complexity: one allocation at most.
  public static func encode(
    _ batch: FASTQBatch, segments: [Int], stream: Int? = nil,
    into output: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    let end = output.count
    let keep = try keep(batch, stream)
    try output.reserve(end + encodedSize(batch, keep: keep, segments: segments))
    let start = output.start
    output.count = withUnsafeTemporaryAllocation(of: Source.self, capacity: segments.count) {
      sources in
      for (index, segment) in segments.enumerated() {
        sources.initializeElement(at: index, to: Source(batch.segments[segment]))
      }
      return write(UnsafeBufferPointer(sources), keep, batch.count, to: start + end) - start
    }
  }

  /// 1 for the reads to write.
  static func keep(
    _ batch: FASTQBatch, _ stream: Int?
  ) throws(WorkpoolError) -> UnsafePointer<UInt8> {
    guard let stream, batch.hasStreams else { return UnsafePointer(batch.keep.start) }
    try batch.acting.resize(batch.count)
    for read in 0..<batch.count {
      batch.acting.start[read] =
        batch.streams.start[read] == UInt32(stream) ? batch.keep.start[read] : 0
    }
    return UnsafePointer(batch.acting.start)
  }

  /// Bytes that `encode` writes.
  static func encodedSize(
    _ batch: FASTQBatch, keep: UnsafePointer<UInt8>? = nil, segments: [Int]
  ) -> Int {
    var size = 0
    let keep = keep ?? UnsafePointer(batch.keep.start)
    for segment in segments {
      let records = batch.segments[segment].records.start
      for read in 0..<batch.count where keep[read] != 0 { size &+= records[read].encodedSize }
    }
    return size
  }

  /// A segment's memory, without its owner: valid while the batch stays.
  private struct Source {
    var text: UnsafePointer<UInt8>
    var parsedCount: Int
    var records: UnsafePointer<FASTQRecord>

    init(_ segment: FASTQSegment) {
      text = UnsafePointer(segment.text.bytes.start)
      parsedCount = segment.text.parsedCount
      records = UnsafePointer(segment.records.start)
    }
  }

  private static func write(
    _ sources: UnsafeBufferPointer<Source>, _ keep: UnsafePointer<UInt8>, _ count: Int,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var output = start
    // Canonical text from `run` to `runEnd`, the last line end excluded, that is not written yet.
    var run = UnsafePointer(start)
    var runEnd = run
    for read in 0..<count where keep[read] != 0 {
      for source in sources {
        let record = source.records[read]
        let text = source.text
        if record.isCanonical(parsedCount: source.parsedCount) {
          let begin = text + record.name - 1
          if begin != runEnd + 1 || run == runEnd {
            flush(run, runEnd, to: &output)
            run = begin
          }
          runEnd = text + record.quality + record.length
        } else {
          flush(run, runEnd, to: &output)
          runEnd = run
          put(UInt8(ascii: "@"), to: &output)
          put(text + record.name, record.nameLength, to: &output)
          put(UInt8(ascii: "\n"), to: &output)
          put(text + record.sequence, record.length, to: &output)
          put(UInt8(ascii: "\n"), to: &output)
          put(UInt8(ascii: "+"), to: &output)
          put(UInt8(ascii: "\n"), to: &output)
          put(text + record.quality, record.length, to: &output)
          put(UInt8(ascii: "\n"), to: &output)
        }
      }
    }
    flush(run, runEnd, to: &output)
    return output
  }

  @inline(__always)
  private static func flush(
    _ run: UnsafePointer<UInt8>, _ runEnd: UnsafePointer<UInt8>,
    to output: inout UnsafeMutablePointer<UInt8>
  ) {
    guard run != runEnd else { return }
    put(run, runEnd - run, to: &output)
    put(UInt8(ascii: "\n"), to: &output)
  }

  @inline(__always)
  private static func put(
    _ bytes: UnsafePointer<UInt8>, _ size: Int, to output: inout UnsafeMutablePointer<UInt8>
  ) {
    memcpy(output, bytes, size)
    output += size
  }

  @inline(__always)
  private static func put(_ byte: UInt8, to output: inout UnsafeMutablePointer<UInt8>) {
    output.pointee = byte
    output += 1
  }
}
