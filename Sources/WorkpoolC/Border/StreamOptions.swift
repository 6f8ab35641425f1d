// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

extension OpaquePointer {
  var reader: FileReader { object() }
  var writer: FileWriter { object() }
  var recipe: RecipeDraft { object() }
}

/// The reader behind a handle, if it belongs to this process.
func checkedReader(_ handle: OpaquePointer?) throws(WorkpoolError) -> FileReader {
  let reader = try required(handle, "reader").reader
  try checkFork(reader.forkGeneration)
  return reader
}

/// The writer behind a handle, if it belongs to this process.
func checkedWriter(_ handle: OpaquePointer?) throws(WorkpoolError) -> FileWriter {
  let writer = try required(handle, "writer").writer
  try checkFork(writer.forkGeneration)
  return writer
}

func endpoint(_ path: UnsafePointer<CChar>?) throws(WorkpoolError) -> Endpoint {
  guard let path else { throw invalid("path is NULL") }
  return .path(String(cString: path))
}

func endpoint(_ descriptor: Int32, _ name: UnsafePointer<CChar>?) -> Endpoint {
  .descriptor(descriptor, name: name.map { String(cString: $0) } ?? "descriptor")
}

/// A count or size of an option; 0 is its default.
private func size(
  _ value: UInt64, _ fallback: Int, _ name: StaticString
) throws(WorkpoolError) -> Int {
  guard value <= 1 << 62 else { throw invalid("\(name) is too large") }
  return value == 0 ? fallback : Int(value)
}

func openReader(
  _ endpoint: Endpoint, _ pointer: UnsafePointer<wp_reader_options>?
) throws(WorkpoolError) -> FileReader {
  let given = try read(pointer, wp_reader_options())
  let maxRecord = try size(given.max_record, Splitter.defaultMaxRecord, "max_record")
  let records = try size(given.records_per_block, 0, "records_per_block")
  let bytes = try size(given.bytes_per_block, 1 << 20, "bytes_per_block")
  var options = CompressedReader.Options()
  options.maxWindow = UInt64(try size(given.max_window, 128 << 20, "max_window"))
  switch given.trailing {
  case WP_TRAILING_ERROR: options.trailing = .error
  case WP_TRAILING_WARN: options.trailing = .warn
  case WP_TRAILING_IGNORE: options.trailing = .ignore
  default: throw invalid("there is no trailing \(given.trailing)")
  }
  guard given.reserved == 0, given.delimiter < 256, given.has_delimiter < 2 else {
    throw invalid("a field of the reader options is out of range")
  }
  if let pool = given.pool {
    try checkFork(pool.pool)
    options.pool = pool.pool
  }
  let splitter: Splitter
  switch given.split {
  case WP_SPLIT_LINES:
    splitter = .lines(
      LineSplitter(
        records > 0 ? .records(records) : .bytes(bytes),
        delimiter: given.has_delimiter == 1 ? UInt8(given.delimiter) : UInt8(ascii: "\n"),
        maxRecord: maxRecord))
  case WP_SPLIT_FASTQ:
    splitter = .fastq(FASTQSplitter(records: records > 0 ? records : 10_000, maxRecord: maxRecord))
  case WP_SPLIT_FIXED:
    let recordSize = try size(given.record_size, 0, "record_size")
    guard recordSize > 0 && recordSize <= maxRecord else {
      throw invalid("record_size must be 1 to max_record")
    }
    splitter = .fixed(
      FixedSplitter(
        recordSize: recordSize, count: records > 0 ? records : max(1, bytes / recordSize)))
  default: throw invalid("there is no split \(given.split)")
  }
  return try FileReader(
    endpoint, splitter: splitter, options: options,
    gzi: given.bgzf_index.map { String(cString: $0) })
}

/// nil: by the suffix.
func compression(_ value: UInt32) throws(WorkpoolError) -> Compression? {
  switch value {
  case WP_COMPRESSION_AUTO: nil
  case WP_COMPRESSION_PLAIN: .plain
  case WP_COMPRESSION_GZIP, WP_COMPRESSION_BGZF: .gzip
  case WP_COMPRESSION_ZSTD: .zstd
  default: throw invalid("there is no compression \(value)")
  }
}

func value(of compression: Compression) -> UInt32 {
  switch compression {
  case .plain: WP_COMPRESSION_PLAIN
  case .gzip: WP_COMPRESSION_GZIP
  case .bgzf: WP_COMPRESSION_BGZF
  case .zstd: WP_COMPRESSION_ZSTD
  }
}

func openWriter(
  _ endpoint: Endpoint, _ pointer: UnsafePointer<wp_writer_options>?
) throws(WorkpoolError) -> FileWriter {
  let given = try read(pointer, wp_writer_options())
  try checkFlags(
    given.flags, known: WP_WRITER_OVERWRITE | WP_WRITER_SYNC | WP_WRITER_ZSTD_SEEK_TABLE)
  guard given.reserved == 0, given.has_level < 2 else {
    throw invalid("a field of the writer options is out of range")
  }
  var options = FileWriter.Options()
  options.compression = try compression(given.compression)
  options.level = given.has_level == 1 ? Int(given.level) : nil
  options.outputSet.allowsOverwrite = given.flags & WP_WRITER_OVERWRITE != 0
  options.outputSet.syncs = given.flags & WP_WRITER_SYNC != 0
  options.bgzfIndex = given.bgzf_index.map { String(cString: $0) }
  options.hasSeekTable = given.flags & WP_WRITER_ZSTD_SEEK_TABLE != 0
  return try FileWriter(endpoint, options)
}

extension wp_chunk {
  init(_ extent: BlockExtent, at data: UnsafeRawPointer?) {
    self.init(
      data: data?.assumingMemoryBound(to: UInt8.self), size: extent.size,
      records: UInt64(extent.records), first_record: extent.recordsBefore, offset: extent.offset,
      first_line: extent.linesBefore, packed_bytes: extent.packedBytes)
  }
}
