// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

private let sizes = [0, 1, 65_279, 65_280, 65_281, 1 << 20 - 1, 1 << 20, 1 << 20 + 1]

@Suite struct CompressedWriterTests {
  let folder = TemporaryFolder()

  @discardableResult
  private func write(
    _ bytes: Bytes, _ name: String, _ compression: Compression, level: Int? = nil,
    piece: Int = Int.max
  ) throws -> WriterInfo {
    let writer = try CompressedWriter(path: folder[name], compression: compression, level: level)
    var start = 0
    while start < bytes.count {
      let end = min(start + min(piece, bytes.count), bytes.count)
      try Bytes(bytes[start..<end]).withBytes { (part) throws(WorkpoolError) in
        try writer.write(part)
      }
      start = end
    }
    return try writer.finish()
  }

  @Test("what is written is read back, at every level and every size")
  func roundTrips() throws {
    for (compression, levels) in [
      (Compression.plain, [0]), (.gzip, Array(0...9)), (.zstd, [1, 3, 5, 12, 19, 22]),
    ] {
      for size in sizes {
        for level in levels
        where size < 100_000 || level == levels[0] || level == compression.defaultLevel {
          let bytes = content(size)
          let info = try write(bytes, "out", compression, level: level)
          let outcome = readAll(folder["out"])
          let isSame = outcome.bytes == bytes
          #expect(isSame && outcome.error == nil, "\(compression) \(level) \(size)")
          #expect(info.bytes == UInt64(size))
          #expect(info.packedBytes == UInt64(folder.read("out")!.count))
          if size > 0 {
            #expect(outcome.info?.compression == (compression == .gzip ? .bgzf : compression))
            #expect(outcome.notes == [])
          }
        }
      }
    }
  }

  @Test("the bytes of a file do not depend on how they were given to the writer")
  func pieces() throws {
    let bytes = content(300_000)
    for compression in [Compression.plain, .gzip, .zstd] {
      try write(bytes, "whole", compression)
      for piece in [777, 65_280, 65_281, 200_000] {
        try write(bytes, "pieces", compression, piece: piece)
        let isSame = folder.read("whole") == folder.read("pieces")
        #expect(isSame, "\(compression) \(piece)")
      }
    }
  }

  @Test("a .gz is BGZF: exact blocks that say their size, and the end marker")
  func blocks() throws {
    for (bytes, level) in [
      (content(200_000), 6), (noise(200_000), 6), (noise(200_000), 9), (content(200_000), 0),
    ] {
      try write(bytes, "out.gz", .gzip, level: level)
      let packed = folder.read("out.gz")!
      var (at, sizes) = (0, [Int]())
      while at < packed.count {
        #expect(packed[at..<at + 16].elementsEqual(endMarker[..<16]))
        let size = Int(packed[at + 16]) + Int(packed[at + 17]) << 8 + 1
        let length = packed[(at + size - 4)..<(at + size)].reversed().reduce(0) {
          $0 << 8 | Int($1)
        }
        sizes.append(length)
        at += size
      }
      #expect(at == packed.count)
      #expect(sizes == [65_280, 65_280, 65_280, 4_160, 0])
      #expect(packed.suffix(28).elementsEqual(endMarker))
    }
    try write([], "empty.gz", .gzip)
    #expect(folder.read("empty.gz") == endMarker)
  }

  @Test("a .zst is independent frames of 1 MiB with content size and checksum")
  func frames() throws {
    try write(content(2 << 20 + 5), "out.zst", .zstd)
    let packed = folder.read("out.zst")!
    #expect(packed[4] & 4 != 0 && packed[4] >> 6 != 0)
    #expect(readAll(folder["out.zst"]).info?.parts == 3)
    try write([], "empty.zst", .zstd)
    #expect(readAll(folder["empty.zst"]).info?.parts == 1)
  }

  @Test("other programs read what is written")
  func otherPrograms() throws {
    for size in [0, 1, 65_281, 1 << 20 + 1] {
      let bytes = content(size)
      for level in [0, 1, 6] {
        try write(bytes, "out.gz", .gzip, level: level)
        let python = run([
          "python3", "-c",
          "import gzip,sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())",
          folder["out.gz"],
        ])
        #expect(python.status == 0)
        var isSame = python.output == bytes
        #expect(isSame, "python \(size) \(level)")
        let gzip = run(["gzip", "-dc", folder["out.gz"]])
        isSame = gzip.output == bytes
        #expect(gzip.status == 0 && isSame, "gzip \(size) \(level)")
        if hasTool("bgzip") {
          #expect(run(["bgzip", "-t", folder["out.gz"]]).status == 0)
          isSame = run(["bgzip", "-dc", folder["out.gz"]]).output == bytes
          #expect(isSame, "bgzip \(size) \(level)")
        }
      }
      if hasTool("zstd") {
        try write(bytes, "out.zst", .zstd)
        let zstd = run(["zstd", "-qdc", folder["out.zst"]])
        let isSame = zstd.output == bytes
        #expect(zstd.status == 0 && isSame, "zstd \(size)")
      }
    }
  }

  @Test("what other programs write is read, at all their levels")
  func otherWriters() throws {
    let bytes = content(200_000)
    let plain = folder.write("plain", bytes)
    let tools = [
      ("gzip", Array(1...9)), ("bgzip", [1, 6]), ("zstd", Array(1...19)), ("pigz", [1, 6]),
    ]
    for (tool, levels) in tools where hasTool(tool) {
      for level in levels {
        let option = tool == "bgzip" ? ["-l", "\(level)"] : ["-\(level)"]
        folder.write("packed", run([tool] + option + ["-c", plain]).output)
        let outcome = readAll(folder["packed"])
        let isSame = outcome.bytes == bytes
        #expect(isSame && outcome.error == nil, "\(tool) \(level)")
      }
    }
  }

  @Test("after the end nothing can be written")
  func afterEnd() throws {
    let writer = try CompressedWriter(path: folder["out.gz"])
    writer.abandon()
    #expect(throws: WorkpoolError.self) { try writer.finish() }
    #expect(folder.read("out.gz") == [])
    let other = try CompressedWriter(path: folder["other.gz"])
    _ = try other.finish()
    other.abandon()
    #expect(throws: WorkpoolError.self) {
      try [1].withBytes { (bytes) throws(WorkpoolError) in try other.write(bytes) }
    }
    #expect(folder.read("other.gz") == endMarker)
  }
}
