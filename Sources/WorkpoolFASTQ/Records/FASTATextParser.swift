// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Finds the records in a text of whole FASTA records. Names become first word, one blank, rest; the lines
/// of a sequence are moved together, without line ends and blanks before them; every base gets the
/// same quality, behind the text.
enum FASTATextParser {
  /// - Returns: what is wrong, if anything is; the records before it are there.
  /// - Throws: `noMemory`.
  static func parse(
    _ segment: FASTQSegment, quality: UInt8
  ) throws(WorkpoolError) -> FASTQFault? {
    let text = segment.text
    let size = text.bytes.count
    text.parsedCount = size
    try segment.records.resize(0)
    var bases = 0
    var fault: FASTQFault?
    var place = 0
    while place < size, fault == nil {
      let end = lineEnd(text, place, size)
      guard text.bytes.start[place] == UInt8(ascii: ">") else {
        // Only blank lines can stand before a record.
        guard trimmed(text, place, end) == place else {
          fault = self.fault(
            text, segment.records.count, place, "the record does not begin with '>'")
          break
        }
        place = end + 1
        continue
      }
      var record = FASTQRecord(name: place + 1, nameLength: 0, sequence: 0, quality: 0, length: 0)
      record.nameLength = name(text, place + 1, trimmed(text, place + 1, end))
      guard record.nameLength > 0 else {
        fault = self.fault(text, segment.records.count, place, "the name is empty")
        break
      }
      record.sequence = min(end + 1, size)
      place = record.sequence
      while place < size, text.bytes.start[place] != UInt8(ascii: ">") {
        let lineEnd = lineEnd(text, place, size)
        let length = trimmed(text, place, lineEnd) - place
        memmove(
          text.bytes.start + record.sequence + record.length, text.bytes.start + place, length)
        record.length += length
        place = lineEnd + 1
      }
      bases += record.length
      try segment.records.resize(segment.records.count + 1)
      segment.records.start[segment.records.count - 1] = record
    }
    var qualities = try text.makeRoom(bases)
    memset(text.bytes.start + qualities, Int32(quality), bases)
    for index in 0..<segment.records.count {
      segment.records.start[index].quality = qualities
      qualities += segment.records.start[index].length
    }
    return fault
  }

  /// The place of the line feed, or the end of the text.
  private static func lineEnd(_ text: FASTQText, _ place: Int, _ size: Int) -> Int {
    let start = UnsafePointer(text.bytes.start)
    return memchr(start + place, 10, size - place)
      .map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) - start } ?? size
  }

  /// The end of a line without the blanks there.
  private static func trimmed(_ text: FASTQText, _ place: Int, _ end: Int) -> Int {
    var end = end
    while end > place, isBlank(text.bytes.start[end - 1]) { end -= 1 }
    return end
  }

  /// Makes one blank of those behind the first word. Returns the length of the name.
  private static func name(_ text: FASTQText, _ place: Int, _ end: Int) -> Int {
    let bytes = text.bytes.start
    var word = place
    while word < end, !isBlank(bytes[word]) { word += 1 }
    if word == end { return end - place }
    var rest = word
    while rest < end, isBlank(bytes[rest]) { rest += 1 }
    bytes[word] = 32
    memmove(bytes + word + 1, bytes + rest, end - rest)
    return word + 1 - place + end - rest
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }

  private static func fault(
    _ text: FASTQText, _ record: Int, _ place: Int, _ message: String
  ) -> FASTQFault {
    FASTQFault(
      record: record,
      error: WorkpoolError(
        .malformedRecord, message, path: text.origin.path,
        place: "record " + String(text.origin.record + record + 1) + " (byte "
          + String(text.origin.byte + place) + ")"))
  }
}
