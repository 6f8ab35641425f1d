// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO

/// One output in files of equally many reads. A full last file is followed by an empty one.
///
/// The names have as many digits as the last one needs, so the files get them at the end. All is done
/// in the sink: packing too, which other outputs leave to the workers.
///
/// Threads: one at a time.
final class ChunkedOutput {
  private let plan: ProcessPlan.Output
  private let chunks: ProcessPlan.OutputChunks
  private let outputs: OutputSet
  private let linesPerRead: Int

  /// The files of a chunk, by their number in the set and what follows the name.
  private var files: [[(index: Int, ending: String)]] = []
  private var writer: StepFileWriter
  private var contentHash: SHA256?
  /// Shared with the sink that is hashed.
  private var fileHash: OutputHash?
  private var reads = 0
  private(set) var bytes: UInt64 = 0
  private(set) var packedBytes: UInt64 = 0

  /// - Parameter first: the number of the output of the first chunk.
  init(
    _ plan: ProcessPlan.Output, _ chunks: ProcessPlan.OutputChunks, in outputs: OutputSet,
    first: Int
  ) throws(WorkpoolError) {
    self.plan = plan
    self.chunks = chunks
    self.outputs = outputs
    linesPerRead = (plan.format == .fasta ? 2 : 4) * plan.segments.count
    writer = try Self.writer(plan, outputs.sink(first))
    try begin(first)
  }

  private static func writer(
    _ plan: ProcessPlan.Output, _ sink: ByteSink
  ) throws(WorkpoolError) -> StepFileWriter {
    StepFileWriter(
      try SlicedWriter(sink, compression: plan.compression, level: plan.level, workers: 1))
  }

  private func begin(_ index: Int) throws(WorkpoolError) {
    files.append([(index, "")])
    reads = 0
    contentHash = plan.hashesContent ? SHA256() : nil
    fileHash = nil
    if plan.hashesFile {
      let hash = OutputHash(file: index)
      outputs.sink(index).watch = { hash.sha.add($0) }
      fileHash = hash
    }
  }

  /// Writes whole reads.
  func write(_ text: UnsafeRawBufferPointer) throws(WorkpoolError) {
    bytes += UInt64(text.count)
    var rest = text
    while let start = rest.baseAddress, !rest.isEmpty {
      let (size, count) = Self.reads(rest, atMost: chunks.size - reads, linesPerRead)
      let part = UnsafeRawBufferPointer(start: start, count: size)
      contentHash?.add(part)
      try writer.write(part)
      reads += count
      rest = UnsafeRawBufferPointer(start: start + size, count: rest.count - size)
      if reads == chunks.size { try next() }
    }
  }

  /// The first reads of a text, and how many there are.
  private static func reads(
    _ text: UnsafeRawBufferPointer, atMost limit: Int, _ lines: Int
  ) -> (size: Int, count: Int) {
    guard let start = text.baseAddress else { return (0, 0) }
    var (size, count, line) = (0, 0, 0)
    while count < limit, size < text.count,
      let end = memchr(start + size, 10, text.count - size)
    {
      size = UnsafeRawPointer(end) - start + 1
      line += 1
      if line == lines { (count, line) = (count + 1, 0) }
    }
    return (size, count)
  }

  private func next() throws(WorkpoolError) {
    try end()
    let number = files.count
    let index = try outputs.add(
      OutputSet.Output(.path(chunks.path(number, last: number)), owner: plan.owner))
    writer = try Self.writer(plan, outputs.sink(index))
    try begin(index)
  }

  /// Ends the current file and writes its hashes.
  private func end() throws(WorkpoolError) {
    try writer.finish()
    packedBytes += outputs.sink(files[files.count - 1][0].index).bytesWritten
    if var hash = contentHash { try write(hash.finish(), ".uncompressed.sha256") }
    if let hash = fileHash { try write(hash.sha.finish(), ".compressed.sha256") }
  }

  private func write(_ text: String, _ ending: String) throws(WorkpoolError) {
    let number = files.count - 1
    let path = chunks.path(number, last: number) + ending
    let index = try outputs.add(OutputSet.Output(.path(path), owner: "hash of " + plan.owner))
    files[number].append((index, ending))
    let file = StepFileWriter(
      try SlicedWriter(outputs.sink(index), compression: .plain, level: nil, workers: 1))
    try file.write(text)
    try file.finish()
  }

  /// After the last read: ends the last file and gives all their names.
  func finish() throws(WorkpoolError) {
    try end()
    let last = files.count - 1
    guard last > 9 else { return }
    for (number, chunk) in files.enumerated() {
      let path = chunks.path(number, last: last)
      for file in chunk { try outputs.rename(file.index, to: path + file.ending) }
    }
  }
}
