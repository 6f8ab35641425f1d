// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO

/// Records of which nothing is known but where they end: lines, or bytes of a fixed number. Each one is
/// the name of a read without bases, so that steps which count reads work on them.
extension FASTQBatch {
  /// Finds the records in the text of the first segment, as a splitter cut it.
  func parse(splitter: Splitter) throws(WorkpoolError) {
    let segment = segments[0]
    let size = segment.text.bytes.count
    segment.text.parsedCount = size
    try segment.records.resize(0)
    let start = UnsafePointer(segment.text.bytes.start)
    var offset = 0
    while offset < size {
      let end = splitter.endOfRecord(UnsafeRawBufferPointer(start: start, count: size), offset)
      try segment.records.reserve(segment.records.count + 1)
      segment.records.start[segment.records.count] = FASTQRecord(
        name: offset, nameLength: end - offset, sequence: end, quality: end, length: 0)
      segment.records.count += 1
      offset = end
    }
    try setParsed(segment.records.count)
  }

  /// Puts the kept records behind what `output` holds, as they were.
  ///
  /// - Parameter delimiter: ends each record; the last one of a file may lack it, and gets it where it
  ///   is no longer the last.
  func encodeUnits(
    into output: inout GrowableMemory<UInt8>, delimiter: UInt8?
  ) throws(WorkpoolError) {
    let segment = segments[0]
    var end: UInt8?
    try output.reserve(output.count + segment.text.bytes.count)
    for index in 0..<count where keep.start[index] != 0 {
      let record = segment.records.start[index]
      if let delimiter, let last = end, last != delimiter { try output.append(delimiter) }
      let name = segment.text.bytes.start + record.name
      try output.append(name, record.nameLength)
      if record.nameLength > 0 { end = name[record.nameLength - 1] }
    }
  }
}
