// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// The first record of a text that breaks a rule.
struct FASTQFault {
  /// Number in the block, from 0.
  var record: Int
  var error: WorkpoolError

  func raise() throws(WorkpoolError) { throw error }
}

/// Finds the records in a text of whole FASTQ records of four lines.
///
/// Line 1 is `@` and a name that is not empty; line 2 the sequence, maybe empty; line 3 begins
/// with `+`, its rest is ignored; line 4 has as many bytes as line 2. One `\r` before a line end,
/// or before the end of the file, is dropped. Blank lines may follow the last record of a file.
/// No alphabet is checked.
enum FASTQParser {
  /// Fills `segment.records` from `segment.text`; no byte is copied or changed.
  ///
  /// - Parameter endsFile: whether nothing of the file follows: the last line may lack its end,
  ///   and blank lines may stand at the end.
  /// - Returns: what is wrong, if anything is; the records before it are there.
  /// - Throws: `noMemory`.
  /// - Complexity: one pass over the text.
  static func parse(_ segment: FASTQSegment, endsFile: Bool) throws(WorkpoolError) -> FASTQFault? {
    let text = segment.text
    if let quality = text.fakeQuality {
      return try FASTATextParser.parse(segment, quality: quality)
    }
    let size = text.bytes.count
    text.parsedCount = size
    let start = UnsafePointer(text.bytes.start)
    let end = start + size
    let newline = UInt8(ascii: "\n")
    let carriageReturn = UInt8(ascii: "\r")

    try segment.records.resize(0)
    var capacity = segment.records.capacity
    var records = segment.records.start
    var count = 0
    var record = start

    while record < end {
      guard record.pointee == UInt8(ascii: "@"),
        let nameLineEnd = find(newline, record, end),
        let sequenceLineEnd = find(newline, nameLineEnd + 1, end)
      else { break }
      let sequence = nameLineEnd + 1
      let plus = sequenceLineEnd + 1
      guard plus < end, plus.pointee == UInt8(ascii: "+"),
        let plusLineEnd = find(newline, plus, end)
      else { break }
      let quality = plusLineEnd + 1
      guard let qualityLineEnd = find(newline, quality, end) ?? (endsFile ? end : nil)
      else { break }

      // The byte before an empty line is the line end before it, never `\r`.
      let nameEnd = nameLineEnd - (nameLineEnd[-1] == carriageReturn ? 1 : 0)
      let sequenceEnd = sequenceLineEnd - (sequenceLineEnd[-1] == carriageReturn ? 1 : 0)
      let qualityEnd = qualityLineEnd - (qualityLineEnd[-1] == carriageReturn ? 1 : 0)
      let nameLength = nameEnd - record - 1
      guard nameLength > 0, qualityEnd - quality == sequenceEnd - sequence else { break }

      if count == capacity {
        segment.records.count = count
        try segment.records.reserve(count + 1)
        capacity = segment.records.capacity
        records = segment.records.start
      }
      records[count] = FASTQRecord(
        name: record - start + 1, nameLength: nameLength, sequence: sequence - start,
        quality: quality - start, length: sequenceEnd - sequence)
      count &+= 1
      record = qualityLineEnd < end ? qualityLineEnd + 1 : end
    }

    segment.records.count = count
    if record == end || endsFile && isBlank(record, end) { return nil }
    let diagnosis = FASTQDiagnosis(
      origin: text.origin, start: start, end: end, record: record, number: count)
    return FASTQFault(record: count, error: diagnosis.error())
  }

  @inline(__always)
  private static func find(
    _ byte: UInt8, _ from: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>
  ) -> UnsafePointer<UInt8>? {
    memchr(from, Int32(byte), end - from).map {
      UnsafePointer($0.assumingMemoryBound(to: UInt8.self))
    }
  }

  private static func isBlank(_ from: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Bool {
    var byte = from
    while byte < end, byte.pointee == UInt8(ascii: "\n") || byte.pointee == UInt8(ascii: "\r") {
      byte += 1
    }
    return byte == end
  }
}
