// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolCore

@testable import WorkpoolIO

private let sizes = [0, 1, 65_279, 65_280, 65_281, 1 << 20 - 1, 1 << 20, 1 << 20 + 1]

private func content(_ count: Int) -> Bytes {
  // Half that packs well, half that does not.
  var bytes = Bytes()
  bytes.reserveCapacity(count + 2000)
  let random = noise(1000)
  while bytes.count < count { bytes += record(bytes.count % 50) + random }
  return Bytes(bytes[..<count])
}

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
      try Bytes(bytes[start..<end]).withBytes { (part) throws(WorkpoolError) in try writer.write(part) }
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
        for level in levels where size < 100_000 || level == levels[0] || level == compression.defaultLevel {
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
    for (bytes, level) in [(content(200_000), 6), (noise(200_000), 6), (noise(200_000), 9), (content(200_000), 0)] {
      try write(bytes, "out.gz", .gzip, level: level)
      let packed = folder.read("out.gz")!
      var (at, sizes) = (0, [Int]())
      while at < packed.count {
        #expect(packed[at..<at + 16].elementsEqual(endMarker[..<16]))
        let size = Int(packed[at + 16]) + Int(packed[at + 17]) << 8 + 1
        let length = packed[(at + size - 4)..<(at + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
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
          "import gzip,sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())", folder["out.gz"],
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
    let tools = [("gzip", Array(1...9)), ("bgzip", [1, 6]), ("zstd", Array(1...19)), ("pigz", [1, 6])]
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

  @Test("a level that is not there is refused")
  func levels() {
    for (compression, level) in [(Compression.gzip, 10), (.gzip, -1), (.zstd, 0), (.zstd, 23)] {
      let error = #expect(throws: WorkpoolError.self) { try Packer.make(compression, level: level) }
      #expect(error?.status == .invalidArgument)
    }
  }

  @Test("a full disk is an error with path and byte count, at every later call too")
  func fullDisk() throws {
    for compression in [Compression.plain, .gzip, .zstd] {
      let sink = try ByteSink(path: "/dev/full")
      let writer = try CompressedWriter(sink, compression: compression)
      let error = #expect(throws: WorkpoolError.self) {
        try noise(3_000_000).withBytes { (bytes) throws(WorkpoolError) in try writer.write(bytes) }
      }
      #expect(error?.text == "/dev/full: cannot write after 0 bytes: No space left on device")
      #expect(error?.systemError == ENOSPC)
      let again = #expect(throws: WorkpoolError.self) { try writer.finish() }
      #expect(again?.text == error?.text)
    }
  }

  @Test("a reader that goes away is EPIPE, and no signal")
  func closedPipe() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let writer = try CompressedWriter(
      ByteSink(descriptor: ends[1], name: "standard output"), compression: .plain)
    close(ends[0])
    close(ends[1])
    let error = #expect(throws: WorkpoolError.self) {
      try noise(3_000_000).withBytes { (bytes) throws(WorkpoolError) in try writer.write(bytes) }
    }
    #expect(error?.systemError == EPIPE)
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

@Suite struct SliceGathererTests {
  @Test("runs are whole slices and together the stream, however it comes")
  func runs() throws {
    let bytes = noise(1000)
    for sliceSize in [0, 1, 7, 100, 999, 1000, 1001] {
      for piece in [1, 3, 99, 100, 101, 1000] {
        let gatherer = SliceGatherer(sliceSize: sliceSize)
        let buffer = ByteBuffer()
        var seen = Bytes()
        for start in stride(from: 0, to: 1000, by: piece) {
          let part = Bytes(bytes[start..<min(start + piece, 1000)])
          let count = try part.withBytes { (part) throws(WorkpoolError) in
            try gatherer.gather(part) { (size) throws(WorkpoolError) in try buffer.reserve(size) }
          }
          #expect(count % max(sliceSize, 1) == 0)
          seen += buffer.memory[..<count]
        }
        #expect(gatherer.total == 1000)
        let rest = try gatherer.finish { (size) throws(WorkpoolError) in try buffer.reserve(size) }
        #expect(rest == 1000 % max(sliceSize, 1))
        seen += buffer.memory[..<rest]
        let isSame = seen == bytes
        #expect(isSame, "\(sliceSize) \(piece)")
      }
    }
  }
}

@Suite struct PackerTests {
  @Test("a slice packs to the same bytes in any run and by any packer")
  func slices() throws {
    for compression in [Compression.gzip, .zstd] {
      let size = compression.sliceSize
      let bytes = content(2 * size + 17)
      func pack(_ packer: Packer, _ part: Bytes) throws -> Bytes {
        var packed = Bytes(repeating: 0, count: packer.bound(part.count))
        let count = try packed.withUnsafeMutableBytes { packed in
          try part.withUnsafeBytes { try packer.pack($0, into: packed) }
        }
        return Bytes(packed[..<count])
      }
      let packer = try Packer.make(compression)
      let whole = try pack(packer, bytes)
      var parts = Bytes()
      for start in [0, size, 2 * size] {
        let part = Bytes(bytes[start..<min(start + size, bytes.count)])
        parts += try pack(start == 0 ? packer : Packer.make(compression), part)
      }
      let isSame = whole == parts
      #expect(isSame)
    }
  }
}
