// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

private func readBlocks(
  _ next: (ByteBuffer) throws(WorkpoolError) -> BlockExtent?
) -> (blocks: [(BlockExtent, Bytes)], error: WorkpoolError?) {
  let buffer = ByteBuffer()
  var blocks: [(BlockExtent, Bytes)] = []
  do throws(WorkpoolError) {
    while let extent = try next(buffer) { blocks.append((extent, Bytes(buffer.bytes))) }
  } catch {
    return (blocks, error)
  }
  return (blocks, nil)
}

@Suite struct BlockReaderTests {
  let folder = TemporaryFolder()

  private func read(
    _ packed: Bytes, _ splitter: Splitter, readSize: Int = 256 << 10
  ) -> (blocks: [(BlockExtent, Bytes)], error: WorkpoolError?) {
    var options = CompressedReader.Options()
    options.readSize = readSize
    let reader = BlockReader(
      try! CompressedReader(path: folder.write("input", packed), options: options),
      splitter: splitter)
    return readBlocks { (buffer) throws(WorkpoolError) in try reader.next(into: buffer) }
  }

  @Test("blocks follow each other without gap and know where they lie")
  func extents() {
    let text = records(0..<3000)
    for packed in [text, gzipped(text), bgzf(text), zstd(text)] {
      for (perBlock, count) in [(1, 3000), (7, 429), (1000, 3), (2999, 2), (3000, 1), (9999, 1)] {
        let (blocks, error) = read(packed, .fastq(.init(records: perBlock)))
        #expect(error == nil && blocks.count == count)
        var (before, offset) = (0, 0)
        for (extent, bytes) in blocks {
          #expect(extent.recordsBefore == before && extent.linesBefore == before * 4)
          #expect(extent.offset == offset && extent.size == bytes.count)
          #expect(extent.records == min(perBlock, 3000 - before))
          before += extent.records
          offset += bytes.count
        }
        let isWhole = blocks.flatMap(\.1) == text
        #expect(isWhole)
        #expect(Int(blocks.last!.0.packedBytes) >= packed.count - endMarker.count)
      }
    }
  }

  @Test("blocks do not depend on the size of reads")
  func readSizes() {
    let text = records(0..<300)
    let wanted = read(gzipped(text), .lines(.init(.bytes(1000)))).blocks.map(\.1)
    for size in [1, 2, 3, 7, 4096] {
      let isSame =
        read(gzipped(text), .lines(.init(.bytes(1000))), readSize: size).blocks.map(\.1) == wanted
      #expect(isSame)
    }
  }

  @Test("a record far larger than any read is one block")
  func largeRecord() {
    let text = records(0..<3) + record(3, bases: 3_000_000) + records(4..<9)
    let (blocks, error) = read(gzipped(text), .fastq(.init(records: 1)))
    #expect(error == nil && blocks.count == 9 && blocks[3].0.size > 6_000_000)
    let isWhole = blocks.flatMap(\.1) == text
    #expect(isWhole)
  }

  @Test("all blocks in front of an error come first, then the error and nothing else")
  func errors() throws {
    let text = records(0..<100)
    for (packed, status) in [
      (gzipped(text) + [1], Status.corruptInput), (gzipped(text).dropLast(), .truncatedInput),
    ] {
      let (blocks, error) = read(packed, .fastq(.init(records: 10)))
      #expect(blocks.count == 10 && error?.status == status)
    }
    let reader = BlockReader(
      try CompressedReader(path: folder.write("input", text + [1])),
      splitter: .fastq(.init(maxRecord: 20)))
    for _ in 0..<3 {
      let error = #expect(throws: WorkpoolError.self) { try reader.next(into: ByteBuffer()) }
      #expect(error?.status == .limitExceeded)
    }
  }

  @Test("a record over the limit is named with record, byte and line")
  func tooLong() {
    let text = records(0..<25) + record(25, bases: 500) + records(26..<40)
    let (blocks, error) = read(text, .fastq(.init(records: 10, maxRecord: 400)))
    #expect(blocks.count == 2)
    #expect(
      error?.text == "\(folder["input"]): record 26 (byte \(records(0..<25).count), line 101): "
        + "is longer than the limit that --max-record sets")
    let fixed = read(text.dropLast(text.count % 7) + [1], .fixed(.init(recordSize: 7, count: 3)))
    #expect(fixed.error?.status == .malformedRecord)
    #expect(fixed.error?.place == "record \(text.count / 7 + 1) (byte \(text.count / 7 * 7))")
  }

  @Test("the caller's memory is asked for in steps that keep its content")
  func reserve() throws {
    let text = records(0..<50)
    let reader = BlockReader(
      try CompressedReader(path: folder.write("input", text)), splitter: .fastq(.init(records: 20)))
    var memory = Bytes()
    var seen = Bytes()
    let grown = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 8)
    defer { grown.deallocate() }
    while let extent = try reader.next(reserve: { (size) throws(WorkpoolError) in
      memory.append(UInt8(truncatingIfNeeded: size))
      return UnsafeMutableRawBufferPointer(start: grown, count: 1 << 20)
    }) {
      seen += UnsafeRawBufferPointer(start: grown, count: extent.size)
    }
    #expect(memory.count == 3)
    let isWhole = seen == text
    #expect(isWhole)
  }
}

@Suite struct JoinedBlockReaderTests {
  let folder = TemporaryFolder()

  private func read(
    _ inputs: [Bytes], _ splitter: Splitter, records: RecordFormat? = .fastq
  ) -> (blocks: [(BlockExtent, Bytes)], error: WorkpoolError?, notes: [String]) {
    let paths = inputs.enumerated().map { Endpoint.path(folder.write("input\($0)", $1)) }
    do throws(WorkpoolError) {
      let reader = try JoinedBlockReader(paths, splitter: splitter, records: records)
      let (blocks, error) = readBlocks { (buffer) throws(WorkpoolError) in
        try reader.next(into: buffer)
      }
      return (blocks, error, reader.notes)
    } catch {
      return ([], error, [])
    }
  }

  @Test("inputs follow each other, packed as they like, and no block spans two")
  func joined() {
    let parts = [records(0..<25), records(25..<25), records(25..<26), records(26..<50)]
    let (blocks, error, notes) = read(
      [gzipped(parts[0]), parts[1], zstd(parts[2]), bgzf(parts[3], marked: false)],
      .fastq(.init(records: 10)))
    #expect(error == nil)
    #expect(blocks.map(\.0.input) == [0, 0, 0, 2, 3, 3, 3])
    #expect(blocks.map(\.0.records) == [10, 10, 5, 1, 10, 10, 4])
    #expect(blocks.map(\.0.recordsBefore) == [0, 10, 20, 0, 0, 10, 20])
    #expect(notes.count == 2)
    let isWhole = blocks.flatMap(\.1) == records(0..<50)
    #expect(isWhole)
  }

  @Test("a missing input is an error before anything is read")
  func missing() {
    _ = folder.write("there", records(0..<2))
    let error = #expect(throws: WorkpoolError.self) {
      try JoinedBlockReader(
        [.path(folder["there"]), .path(folder["missing"])], splitter: .fastq(.init()))
    }
    #expect(error?.text == "\(folder["missing"]): cannot open: No such file or directory")
  }

  @Test("an input of another record format is an error that names both")
  func mixture() {
    let found = read([records(0..<2), Bytes(">a\nACGT\n".utf8)], .fastq(.init()))
    #expect(found.blocks.count == 1)
    #expect(
      found.error?.text == "\(folder["input1"]): holds FASTA, not FASTQ as \(folder["input0"]) does"
    )
    #expect(read([Bytes(">a\nACGT\n".utf8)], .fastq(.init())).error?.status == .malformedRecord)
    #expect(read([Bytes("x\n".utf8)], .lines(.init()), records: nil).blocks.count == 1)
    #expect(
      read([[0xef, 0xbb, 0xbf] + records(0..<1)], .fastq(.init())).error!.text.contains(
        "byte order mark"))
  }
}
