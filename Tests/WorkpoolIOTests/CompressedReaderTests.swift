// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolIO

private let first = records(0..<50)
private let second = records(50..<100)
private let all = first + second

@Suite struct CompressedReaderTests {
  let folder = TemporaryFolder()

  private var pooled: CompressedReader.Options {
    var options = CompressedReader.Options()
    options.pool = Pools.of(2)
    return options
  }

  /// Reads `packed` whole with several sizes of reads and windows, and from a FIFO.
  private func outcome(
    _ packed: Bytes, _ options: CompressedReader.Options = .init(),
    _ location: SourceLocation = #_sourceLocation
  ) -> Outcome {
    let path = folder.write("input", packed)
    let outcome = readAll(path, options: options)
    for (readSize, chunk) in [(1, 1), (1, 100_000), (2, 3), (7, 4096), (4096, 7), (100_000, 1)] {
      var options = options
      options.readSize = readSize
      let other = readAll(path, options: options, chunk: chunk)
      let isSame = other.bytes == outcome.bytes
      #expect(isSame, "\(readSize), \(chunk)", sourceLocation: location)
      #expect(other.error?.text == outcome.error?.text, sourceLocation: location)
      #expect(other.notes == outcome.notes, sourceLocation: location)
    }
    for workers in [1, 2, 8] {
      for (readSize, chunk) in [(1 << 18, 1 << 16), (7, 1000)] {
        var options = options
        options.readSize = readSize
        options.pool = Pools.of(workers)
        let other = readAll(path, options: options, chunk: chunk)
        #expect(other == outcome, "\(workers) workers", sourceLocation: location)
      }
    }
    return outcome
  }

  private func expectWhole(
    _ packed: Bytes, as wanted: Bytes = all, _ compression: Compression,
    notes: Int = 0, location: SourceLocation = #_sourceLocation
  ) {
    let outcome = outcome(packed, .init(), location)
    #expect(outcome.error == nil, sourceLocation: location)
    let isSame = outcome.bytes == wanted
    #expect(isSame, sourceLocation: location)
    #expect(outcome.notes.count == notes, "\(outcome.notes)", sourceLocation: location)
    #expect(outcome.info?.compression == compression, sourceLocation: location)
    #expect(outcome.info?.decodedBytes == UInt64(wanted.count), sourceLocation: location)
    #expect(outcome.info?.packedBytes == UInt64(packed.count), sourceLocation: location)
  }

  private func expectError(
    _ packed: Bytes, _ status: Status, _ text: String,
    isPrefix: Bool = true, location: SourceLocation = #_sourceLocation
  ) {
    let outcome = outcome(packed, .init(), location)
    #expect(outcome.error?.status == status, sourceLocation: location)
    #expect(outcome.error?.path == folder["input"], sourceLocation: location)
    let found = outcome.error?.text ?? ""
    #expect(found.contains(text), "\(found)", sourceLocation: location)
    let isSound = !isPrefix || all.starts(with: outcome.bytes)
    #expect(isSound, sourceLocation: location)
  }

  @Test("plain text is read as it is")
  func plain() {
    expectWhole(all, .plain)
    expectWhole(Bytes("(".utf8), as: Bytes("(".utf8), .plain)
    expectWhole(Bytes("PK".utf8), as: Bytes("PK".utf8), .plain)
  }

  @Test("gzip members back to back are one stream, whatever lies between and in their headers")
  func gzip() {
    expectWhole(gzipped(all), .gzip)
    expectWhole(gzipped(first) + gzipped(second), .gzip)
    expectWhole(gzipped(Bytes(all[..<4001])) + gzipped(Bytes(all[4001...])), .gzip)
    expectWhole(gzipped(first) + gzipped([]) + gzipped(second), .gzip)
    expectWhole(gzippedWithAllFields(all), .gzip)
    expectWhole(gzipped(all) + Bytes(repeating: 0, count: 512), .gzip)
  }

  @Test("BGZF is read with or without its end marker, joined, and with plain members behind it")
  func blocked() {
    expectWhole(bgzf(all), .bgzf)
    expectWhole(bgzf(first) + bgzf(second), .bgzf)
    expectWhole(bgzf(first, marked: false) + gzipped(second), .bgzf)
    expectWhole(gzipped(first) + bgzf(second), .gzip)
    expectWhole(bgzf(all, marked: false), .bgzf, notes: 1)
    #expect(outcome(bgzf(all)).info?.parts == UInt64((all.count + 3999) / 4000 + 1))
  }

  @Test("zstd frames back to back are one stream, skippable frames anywhere between")
  func zstandard() {
    expectWhole(zstd(all), .zstd)
    expectWhole(zstd(all, sized: true, checked: true), .zstd)
    expectWhole(zstd(first) + zstd(second, sized: true), .zstd)
    expectWhole(skippable(Bytes("userdata".utf8)) + zstd(all), .zstd)
    expectWhole(zstd(first) + skippable([1, 2], magic: 0x184d_2a5a) + zstd(second), .zstd)
    expectWhole(zstd(all) + skippable(Bytes(repeating: 9, count: 1000)), .zstd)
    expectWhole(zstd(first) + zstd([]) + zstd(second), .zstd)
  }

  @Test("a stream of nothing is no error and is noted once")
  func nothing() {
    expectWhole([], as: [], .plain, notes: 1)
    expectWhole(gzipped([]), as: [], .gzip, notes: 1)
    expectWhole(endMarker, as: [], .bgzf, notes: 1)
    expectWhole(zstd([]), as: [], .zstd, notes: 1)
    expectWhole(skippable([1]), as: [], .zstd, notes: 1)
  }

  @Test("damage to a gzip member is an error that says where")
  func damagedGzip() {
    let member = gzipped(all)
    expectError(member + [0x1f, 0x8b], .truncatedInput, "member 2 (byte \(member.count + 2) of")
    expectError(member + [0x1f], .truncatedInput, "header")
    expectError(gzipped(first) + gzipped(second).dropLast(4), .truncatedInput, "member 2")
    expectError(Bytes(member[..<(member.count * 2 / 3)]), .truncatedInput, "deflate data")
    var bytes = member
    bytes[member.count - 6] ^= 1
    expectError(bytes, .corruptInput, "CRC-32")
    bytes = member
    bytes[member.count / 2] ^= 0x55
    expectError(bytes, .corruptInput, "member 1", isPrefix: false)
    bytes = member
    bytes[member.count - 2] ^= 1
    expectError(bytes, .corruptInput, "ISIZE")
    bytes = member
    bytes[3] |= 0x20
    expectError(bytes, .corruptInput, "reserved")
    bytes = member
    bytes[2] = 7
    expectError(bytes, .corruptInput, "CM")
    expectError(gzippedWithAllFields(all, checksumFlip: 1), .corruptInput, "header is wrong")
    expectError(
      gzipped(first) + gzippedWithAllFields(second, checksumFlip: 4), .corruptInput, "member 2")
    expectError([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 5, 0, 1, 1, 2, 0, 0], .corruptInput, "longer")
  }

  @Test("a BSIZE that does not match the block is an error")
  func damagedBlocks() {
    expectError(bgzf(all, sizeError: 1), .corruptInput, "BSIZE")
    expectError(bgzf(all, sizeError: UInt16.max), .corruptInput, "block 1 (byte")
    expectError(bgzf(first) + bgzf(second, sizeError: 9), .corruptInput, "BSIZE")
    expectError(bgzf(all).dropLast(128), .truncatedInput, "block")
  }

  @Test("damage to a zstd frame is an error that says where")
  func damagedZstd() {
    let frame = zstd(all, checked: true)
    expectError(frame.dropLast(20), .truncatedInput, "frame 1 (byte \(frame.count - 20) of")
    expectError(frame + [0x28, 0xb5], .truncatedInput, "frame 2")
    let large = records(0..<2000)
    for position in [0.4, 0.9] {
      var bytes = zstd(large, sized: true, checked: true)
      bytes[Int(Double(bytes.count) * position)] ^= 0x55
      let outcome = outcome(bytes)
      #expect(outcome.error?.text.contains("frame 1 (byte ") == true)
      #expect(outcome.bytes.count >= (position == 0.4 ? 0 : 128 << 10))
    }
    expectError(frame.dropLast() + [frame.last! ^ 1], .corruptInput, "frame 1")
    expectError(skippable([1, 2, 3]).dropLast(), .truncatedInput, "skippable")
    expectError([0x50, 0x2a, 0x4d, 0x18, 1], .truncatedInput, "skippable")
    expectError([0x25, 0xb5, 0x2f, 0xfd, 1, 2, 3], .unsupported, "zstd format 0.5")
    expectError(frame + [0x27, 0xb5, 0x2f, 0xfd, 1, 2, 3], .unsupported, "zstd format 0.7")
    expectError([0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x58, 7, 0, 0, 0], .unsupported, "dictionary 7")
    expectError([0x28, 0xb5, 0x2f, 0xfd, 0x08, 0x58, 1, 0, 0], .corruptInput, "reserved")
  }

  @Test("a window over the limit is an error that names the option, which admits it")
  func window() {
    var frame = zstd(all)
    #expect(frame[4] & 0x20 == 0, "the header has a window")
    frame[5] = (31 - 10) << 3
    expectError(frame, .limitExceeded, "--zstd-window")
    frame[5] = (27 - 10) << 3
    expectWhole(frame, .zstd)
    frame[5] += 1
    expectError(frame, .limitExceeded, "--zstd-window")
    var options = CompressedReader.Options()
    options.maxWindow = 2 << 30
    frame[5] = (31 - 10) << 3
    let isWhole = readAll(folder.write("input", frame), options: options).bytes == all
    #expect(isWhole)
  }

  @Test("other packings are refused by name")
  func otherPackings() {
    expectError(Bytes("BZh91AY".utf8), .unsupported, "bzip2")
    expectError([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], .unsupported, "xz")
    expectError([4, 0x22, 0x4d, 0x18, 0], .unsupported, "lz4")
    expectError([0x50, 0x4b, 3, 4, 0], .unsupported, "zip")
  }

  @Test("bytes behind the end are refused, noted or ignored as asked")
  func trailingBytes() {
    for (packed, name) in [(gzipped(all), "member"), (bgzf(all), "block"), (zstd(all), "frame")] {
      let garbage = packed + Bytes("garbage!".utf8)
      expectError(
        garbage, .corruptInput,
        "byte \(packed.count) of the file: other bytes follow the last \(name)")
      var options = CompressedReader.Options()
      options.trailing = .warn
      var outcome = outcome(garbage, options)
      var isWhole = outcome.bytes == all
      #expect(isWhole && outcome.error == nil)
      #expect(outcome.notes.count == 1 && outcome.notes[0].contains("8 bytes"))
      options.trailing = .ignore
      outcome = self.outcome(garbage, options)
      isWhole = outcome.bytes == all
      #expect(isWhole && outcome.error == nil && outcome.notes == [])
      // What begins a member is one, whatever was asked for.
      options.trailing = .ignore
      #expect(self.outcome(packed + packed.prefix(2), options).error?.status == .truncatedInput)
    }
    expectError(gzipped(all) + [0, 0, 0, 1], .corruptInput, "byte \(gzipped(all).count + 3) of")
    expectError(zstd(all) + [0, 0], .corruptInput, "other bytes")
  }

  @Test("a file cut at any byte is an error, but at a border where nothing can be seen")
  func everyCut() {
    let text = records(0..<8)
    let (one, two) = (Bytes(text[..<500]), Bytes(text[500...]))
    let files: [(Bytes, borders: [Int])] = [
      (gzipped(one) + gzipped(two), [gzipped(one).count]),
      (gzippedWithAllFields(text), []),
      (bgzf(text, blockSize: 500), borders(bgzf(text, blockSize: 500))),
      (
        zstd(one) + skippable([1, 2, 3]) + zstd(two, sized: true, checked: true),
        [zstd(one).count, zstd(one).count + 11]
      ),
    ]
    for (packed, borders) in files {
      let isWhole = readAll(folder.write("input", packed)).bytes == text
      #expect(isWhole)
      for count in 1..<packed.count {
        let path = folder.write("input", packed.prefix(count))
        let outcome = readAll(path)
        #expect(readAll(path, options: pooled) == outcome, "cut at \(count)")
        if count == 1 && packed[0] == 0x28 { continue }  // "(" is a text
        #expect((outcome.error == nil) == borders.contains(count), "cut at \(count)")
        let isPrefix = text.starts(with: outcome.bytes)
        #expect(isPrefix)
        if outcome.error == nil && packed[3] == 4 { #expect(outcome.notes.count == 1) }
      }
    }
  }

  private func borders(_ packed: Bytes) -> [Int] {
    var (at, borders) = (0, [Int]())
    while at < packed.count {
      at += Int(packed[at + 16]) + Int(packed[at + 17]) << 8 + 1
      borders.append(at)
    }
    return borders
  }

  @Test("a flipped bit gives an error or, in a field that nothing checks, the same bytes")
  func everyFlip() {
    let text = records(0..<4)
    let (one, two) = (records(0..<2), records(2..<4))
    for packed in [
      gzipped(text), gzipped(one) + gzipped(two), bgzf(text, blockSize: 300),
      zstd(text, sized: true, checked: true), zstd(one, checked: true) + zstd(two, checked: true),
    ] {
      for index in 0..<packed.count {
        for bit in 0..<8 {
          var flipped = packed
          flipped[index] ^= 1 << UInt8(bit)
          let path = folder.write("input", flipped)
          let outcome = readAll(path, chunk: 100)
          if bit == index & 7 {
            #expect(readAll(path, options: pooled) == outcome, "byte \(index), bit \(bit)")
          }
          if outcome.error != nil || outcome.bytes == text { continue }
          // Without its magic number it is no such file, and no FASTQ either.
          #expect(index < 4 && outcome.info?.compression == .plain, "byte \(index), bit \(bit)")
        }
      }
    }
  }

  @Test("a bomb unpacks in pieces of the size that is asked for")
  func bomb() throws {
    let zeros = Bytes(repeating: 0, count: 20_000_000)
    let reader = try CompressedReader(path: folder.write("bomb.gz", gzipped(zeros)))
    var buffer = Bytes(repeating: 1, count: 1000)
    let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
    #expect(count == 1000 && buffer.allSatisfy { $0 == 0 })
  }

  @Test("a FIFO and a descriptor are read like a file")
  func streams() throws {
    for packed in [all, gzipped(all), bgzf(all), zstd(all)] {
      let file = folder.write("input", packed)
      let fifo = folder.makeFIFO("fifo")
      let writer = Thread { [all] in
        let handle = FileHandle(forWritingAtPath: fifo)!
        handle.write(Data(FileManager.default.contents(atPath: file)!))
        try? handle.close()
        _ = all
      }
      writer.start()
      let outcome = readAll(fifo)
      let isWhole = outcome.bytes == all
      #expect(isWhole && outcome.error == nil)
      try FileManager.default.removeItem(atPath: fifo)
    }
  }

  @Test("the record format is told by the first decoded bytes, which stay in the stream")
  func recordFormat() throws {
    for packed in [all, gzipped(all), zstd(all)] {
      let reader = try CompressedReader(path: folder.write("input", packed))
      #expect(try reader.recordFormat() == .fastq)
      #expect(reader.info.records == .fastq)
      var bytes = Bytes(repeating: 0, count: all.count + 1)
      #expect(try bytes.withUnsafeMutableBytes { try reader.read(into: $0) } == all.count)
      let isWhole = bytes.dropLast() == all[...]
      #expect(isWhole)
      #expect(try bytes.withUnsafeMutableBytes { try reader.read(into: $0) } == 0)
      #expect(reader.info.decodedBytes == UInt64(all.count))
    }
  }
}
