// SPDX-License-Identifier: MIT
import ArgumentParser
import Synchronization
import Workpool

struct CountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "count", abstract: "Count the records, bases, lines and bytes of files.",
    usage: "wpool count [<file> ...] [--lines] [--json] [<options>]",
    discussion: """
      Files hold FASTQ, plain, gzip, BGZF or zstd; with --lines any text, of which lines and bytes \
      are counted. Every record is checked as wpool process checks it; a file with a fault is told \
      and not counted, and the exit code is 1. Bytes are unpacked ones. Blank lines behind the last \
      record are no lines; a last line without its end is one.
      """)

  @Argument(help: "Files to read; - is standard input.", completion: .file())
  var files: [String] = []

  @Flag(help: "Count lines and bytes of any text.")
  var lines = false

  @Flag(help: "As JSON.")
  var json = false

  @OptionGroup(title: "Reading") var unpack: UnpackOptions
  @OptionGroup(title: "Workers and words") var words: FileWordOptions

  func run() throws {
    let inputs = try FileInput.all(files)
    try unpack.check()
    let session = try FileSession(
      words, total: FileInput.size(of: inputs), hasReads: !lines, fillsOutput: false)
    let table = FileCounts(hasRecords: !lines)
    var code = try session.run(inputs.count) { [self] index throws(WorkpoolError) in
      let input = inputs[index]
      let name = input.endpoint.name
      do throws(WorkpoolError) {
        let splitter: Splitter =
          lines
          ? .fixed(FixedSplitter(recordSize: 1, count: 1 << 20, allowsPartial: true))
          : .fastq(FASTQSplitter(records: 2_500))
        let reader = try FileReader(
          input.endpoint, splitter: splitter, options: unpack.reader)
        let counts =
          try lines
          ? count(linesOf: reader, input, session) : count(recordsOf: reader, input, session)
        table.add(name, reader.info, counts)
        session.note(reader.notes)
      } catch {
        table.add(name, error)
        throw error
      }
    }
    if !code.isOfSignal {
      let written = Console.write(json ? table.json : table.text)
      if code == .success { code = written }
    }
    throw code
  }

  private func count(
    linesOf reader: FileReader, _ input: FileInput, _ session: FileSession
  ) throws(WorkpoolError) -> FileCounts.Counts {
    let tally = Tally()
    try session.run(input) { (pipeline) throws(WorkpoolError) in
      try pipeline.setReader(reader)
      try pipeline.addStage("count", .parallel) { block, _ throws(WorkpoolError) in
        let bytes = UnsafeRawBufferPointer(block.bytes)
        tally.lines.add(LineCount.ends(in: bytes), ordering: .relaxed)
        session.progress.add(block)
        return .goOn
      }
      try pipeline.setSink("end") { block, _ throws(WorkpoolError) in
        tally.last = block.bytes.last
        return .goOn
      }
    }
    var counts = FileCounts.Counts()
    counts.lines = tally.lines.load(ordering: .relaxed)
    if let last = tally.last, last != UInt8(ascii: "\n") { counts.lines += 1 }
    counts.bytes = reader.info.decodedBytes
    return counts
  }

  private func count(
    recordsOf reader: FileReader, _ input: FileInput, _ session: FileSession
  ) throws(WorkpoolError) -> FileCounts.Counts {
    if let format = try reader.recordFormat(), format != .fastq {
      throw WorkpoolError(
        .unsupported, "holds \(format.name), not FASTQ; --lines counts its lines", path: reader.name
      )
    }
    let tally = Tally()
    let counters = try FASTQCounters(workers: session.workers)
    try session.run(input) { (pipeline) throws(WorkpoolError) in
      try pipeline.setReader(reader)
      try pipeline.addStage("count", .parallel) { block, context throws(WorkpoolError) in
        let origin = FASTQOrigin(
          path: reader.name, record: Int(block.pointee.meta.1), line: Int(block.pointee.meta.1) * 4,
          byte: Int(block.pointee.meta.2))
        let found = try counters.count(
          UnsafeRawBufferPointer(block.bytes), origin, worker: context.worker)
        tally.records.add(UInt64(found.records), ordering: .relaxed)
        tally.bases.add(UInt64(found.bases), ordering: .relaxed)
        session.progress.add(block, records: found.records)
        return .goOn
      }
      try pipeline.setSink("end") { _, _ throws(WorkpoolError) in .goOn }
    }
    var counts = FileCounts.Counts()
    counts.records = tally.records.load(ordering: .relaxed)
    counts.bases = tally.bases.load(ordering: .relaxed)
    counts.lines = counts.records * 4
    counts.bytes = reader.info.decodedBytes
    return counts
  }

  /// Sums of one file.
  private final class Tally {
    let records = Atomic<UInt64>(0)
    let bases = Atomic<UInt64>(0)
    let lines = Atomic<UInt64>(0)
    /// Of the sink.
    var last: UInt8?
  }
}

enum LineCount {
  /// Line feeds among `bytes`.
  static func ends(in bytes: UnsafeRawBufferPointer) -> UInt64 {
    var total: UInt64 = 0
    var start = 0
    let width = 64
    // Bytes of a vector count to 255 before they are added up.
    while bytes.count - start >= width {
      var sums = SIMD64<UInt8>(repeating: 0)
      let end = min(start + 255 * width, bytes.count - bytes.count % width)
      while start + width <= end {
        let vector = bytes.loadUnaligned(fromByteOffset: start, as: SIMD64<UInt8>.self)
        sums &-= unsafeBitCast(vector .== UInt8(ascii: "\n"), to: SIMD64<UInt8>.self)
        start += width
      }
      total += UInt64(sums.lowHalf.total + sums.highHalf.total)
      if bytes.count - start < width { break }
    }
    while start < bytes.count {
      if bytes[start] == UInt8(ascii: "\n") { total += 1 }
      start += 1
    }
    return total
  }
}

extension SIMD32<UInt8> {
  fileprivate var total: Int { Int(SIMD32<UInt16>(truncatingIfNeeded: self).wrappedSum()) }
}

/// The figures of `wpool count`.
final class FileCounts {
  struct Counts {
    var records: UInt64 = 0
    var bases: UInt64 = 0
    var lines: UInt64 = 0
    var bytes: UInt64 = 0
  }

  private enum Result {
    case counts(StreamInfo, Counts)
    case failure(WorkpoolError)
  }

  private let hasRecords: Bool
  private var files: [(name: String, result: Result)] = []
  private var total = Counts()

  init(hasRecords: Bool) { self.hasRecords = hasRecords }

  func add(_ name: String, _ info: StreamInfo, _ counts: Counts) {
    files.append((name, .counts(info, counts)))
    total.records += counts.records
    total.bases += counts.bases
    total.lines += counts.lines
    total.bytes += counts.bytes
  }

  func add(_ name: String, _ error: WorkpoolError) { files.append((name, .failure(error))) }

  var text: String {
    var table = TextTable(
      ["file"] + (hasRecords ? ["records", "bases"] : []) + ["lines", "bytes"])
    var rows = 0
    for file in files {
      guard case .counts(_, let counts) = file.result else { continue }
      table.add([file.name] + cells(counts))
      rows += 1
    }
    if rows == 0 { return "" }
    if files.count > 1 { table.add(["total"] + cells(total)) }
    return table.text
  }

  private func cells(_ counts: Counts) -> [String] {
    let all = [counts.records, counts.bases, counts.lines, counts.bytes].map { String($0) }
    return hasRecords ? all : Array(all[2...])
  }

  var json: String {
    JSON.object([
      (
        "files",
        .array(
          files.map { file in
            switch file.result {
            case .counts(let info, let counts):
              .object(
                [("file", JSON(file.name)), ("codec", JSON(info.compression.name.description))]
                  + members(counts) + [("packed_bytes", JSON(info.packedBytes))])
            case .failure(let error):
              .object([("file", JSON(file.name)), ("error", JSON(error.text))])
            }
          })
      ),
      ("total", .object(members(total))),
    ]).page
  }

  private func members(_ counts: Counts) -> [(String, JSON)] {
    let all = [
      ("records", JSON(counts.records)), ("bases", JSON(counts.bases)),
      ("lines", JSON(counts.lines)), ("bytes", JSON(counts.bytes)),
    ]
    return hasRecords ? all : Array(all[2...])
  }
}
