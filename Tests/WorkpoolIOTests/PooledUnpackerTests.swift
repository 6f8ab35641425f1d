// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolIO

private let letters = Bytes("ACGTF:\n,".utf8)

/// Files of many runs, on pools of 1, 2 and 8 workers beside no pool.
@Suite struct PooledUnpackerTests {
  let folder = TemporaryFolder()
  /// Packs to about a third.
  private static let text = noise(1_500_000).map { letters[Int($0 & 7)] }

  /// Reads `packed` without a pool and with several, in random steps.
  @discardableResult
  private func outcome(
    _ packed: Bytes, _ location: SourceLocation = #_sourceLocation
  ) -> Outcome {
    let path = folder.write("input", packed)
    let outcome = readAll(path)
    var random = SeededRandom(UInt64(packed.count))
    for (workers, most) in [(1, 3_000_000), (2, 30_000), (8, 400_000)] {
      var options = CompressedReader.Options()
      options.pool = Pools.of(workers)
      options.readSize = Int.random(in: 1000...400_000, using: &random)
      let other = readAll(
        .path(path), options: options, chunk: { Int.random(in: 1...most, using: &random) })
      #expect(other == outcome, "\(workers) workers", sourceLocation: location)
    }
    return outcome
  }

  private func expectWhole(
    _ packed: Bytes, as wanted: Bytes = text, location: SourceLocation = #_sourceLocation
  ) {
    let outcome = outcome(packed, location)
    let isWhole = outcome.bytes == wanted
    #expect(isWhole && outcome.error == nil, "\(outcome)", sourceLocation: location)
  }

  @Test("blocks, members and frames of every kind, in any order, are one stream")
  func whole() {
    let text = Self.text
    let parts = stride(from: 0, to: text.count, by: 500_000).map {
      Bytes(text[$0..<min($0 + 500_000, text.count)])
    }
    expectWhole(bgzf(text, blockSize: 65_280))
    expectWhole(gzipped(text))
    expectWhole(zstd(text))
    expectWhole(parts.flatMap { gzipped($0) })
    expectWhole(parts.flatMap { bgzf($0, blockSize: 60_000) })
    expectWhole(
      parts.enumerated().flatMap { index, part in
        switch index % 4 {
        case 0: bgzf(part, blockSize: 65_280, marked: index % 8 == 0)
        case 1: gzipped(part)
        case 2: gzippedWithAllFields(part) + gzipped([])
        default: endMarker + endMarker + bgzf(part, blockSize: 900)
        }
      } + Bytes(repeating: 0, count: 700))
    expectWhole(
      parts.enumerated().flatMap { index, part in
        switch index % 4 {
        case 0: zstd(part, sized: true)
        case 1: zstd(part) + skippable([1, 2, 3])
        case 2: zstd([]) + zstd([], sized: true, checked: true) + zstd(part, checked: true)
        default:
          skippable(Bytes(repeating: 5, count: 300_000)) + zstd(part, sized: true, checked: true)
        }
      })
  }

  @Test("damage anywhere gives what lies before it and the same words")
  func damage() {
    let text = Self.text
    let frames = stride(from: 0, to: text.count, by: 200_000).flatMap {
      zstd(Bytes(text[$0..<min($0 + 200_000, text.count)]), sized: true, checked: true)
    }
    for packed in [bgzf(text, blockSize: 65_280), frames, gzipped(text)] {
      for place in [0.02, 0.5, 0.9] {
        var damaged = packed
        damaged[Int(Double(packed.count) * place)] ^= 0x40
        #expect(outcome(damaged).error?.status == .corruptInput)
        let cut = outcome(Bytes(packed[..<Int(Double(packed.count) * place)]))
        #expect(cut.error?.status == .truncatedInput)
        let isPrefix = text.starts(with: cut.bytes)
        #expect(isPrefix)
      }
      // Two errors: the first one counts, though the second may be met earlier.
      var damaged = packed
      damaged[packed.count / 2] ^= 1
      #expect(outcome(damaged + [1, 2, 3]).error?.status == .corruptInput)
    }
    expectFault(bgzf(text, blockSize: 65_280, sizeError: 1), "block 1 (byte", "BSIZE")
    expectFault(bgzf(text, blockSize: 65_280, sizeError: .max), "block 1 (byte", "BSIZE")
  }

  private func expectFault(_ packed: Bytes, _ words: String...) {
    let text = outcome(packed).error?.text ?? ""
    for word in words { #expect(text.contains(word), "\(text)") }
  }

  @Test("a checksum, a length and damaged data are found in the block where they are")
  func faults() {
    let first = bgzf(Bytes(Self.text[..<200_000]), blockSize: 50_000, marked: false)
    let block = bgzf(Bytes(Self.text[200_000..<250_000]), blockSize: 50_000, marked: false)
    for (back, words) in [(8, "CRC-32"), (4, "ISIZE"), (1, "ISIZE")] {
      var damaged = first + block + endMarker
      damaged[first.count + block.count - back] ^= 1
      expectFault(damaged, "block 5 (byte ", words)
    }
  }

  @Test("the checks of long members, where pieces end at their ends and elsewhere")
  func longMembers() {
    for size in [1 << 20, (1 << 20) + 1, (1 << 20) - 1, 1_400_000] {
      let text = Bytes(Self.text[..<size])
      let members = [gzipped(text), gzippedWithAllFields(text), gzipped([7]), gzipped(text)]
      expectWhole(members.flatMap { $0 }, as: text + text + [7] + text)
      for (number, member) in [(1, 0), (2, 1), (4, 3)] {
        for (places, words) in [([8], "CRC-32"), ([4], "ISIZE"), ([5, 1], "CRC-32")] {
          var damaged = members
          for place in places { damaged[member][members[member].count - place] ^= 4 }
          // What comes behind the first error does not count.
          damaged[3][members[3].count - 3] ^= 1
          let outcome = outcome(damaged.flatMap { $0 })
          let text = outcome.error?.text ?? ""
          #expect(text.contains("member \(number) (byte ") && text.contains(words), "\(text)")
          #expect(outcome.bytes.count == [size, 2 * size, 0, 3 * size + 1][member])
        }
      }
    }
  }

  @Test("thousands of tiny members, blocks and frames")
  func tiny() {
    let count = 4000
    let wanted = Bytes(repeating: 7, count: count)
    for packed in [gzipped([7]), bgzf([7], marked: false), bgzf([7]), zstd([7], sized: true)] {
      expectWhole((0..<count).flatMap { _ in packed }, as: wanted)
    }
  }

  @Test("frames up to the limit and beyond it")
  func largeFrames() {
    let piece = noise(1 << 20)
    for (size, sized) in [(16 << 20, false), (16 << 20, true), ((16 << 20) + 1, true)] {
      let text = Bytes((0..<17).flatMap { _ in piece }[..<size])
      expectWhole(zstd(text, sized: sized) + zstd(piece), as: text + piece)
    }
  }

  @Test("a reader may be given a pool in the middle of a file")
  func change() throws {
    let text = Self.text
    for packed in [bgzf(text, blockSize: 65_280), gzipped(text), zstd(text), text] {
      let reader = try CompressedReader(path: folder.write("input", packed))
      var bytes = Bytes(repeating: 0, count: text.count + 1)
      let count = try bytes.withUnsafeMutableBytes { bytes in
        let first = try reader.read(into: bytes.part(0..<100_001))
        reader.unpack(on: Pools.of(2))
        return try first + reader.read(into: bytes.part(first..<bytes.count))
      }
      let isWhole = count == text.count && bytes.dropLast() == text[...]
      #expect(isWhole)
    }
  }

  @Test("a reader may go at any point, and leaves the pool to others")
  func abandon() throws {
    let path = folder.write("input", bgzf(Self.text, blockSize: 65_280))
    var options = CompressedReader.Options()
    options.pool = Pools.of(2)
    for size in [1, 100_000, 2_000_000] {
      let reader = try CompressedReader(path: path, options: options)
      var bytes = Bytes(repeating: 0, count: size)
      _ = try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
    }
    #expect(readAll(path, options: options).error == nil)
  }

  @Test("what was asked to end ends, though nobody writes to the FIFO")
  func cancel() throws {
    let fifo = folder.makeFIFO("fifo")
    let writer = open(fifo, O_RDWR)
    defer { close(writer) }
    let packed = bgzf(noise(20_000), blockSize: 9_000, marked: false)
    #expect(write(writer, packed, packed.count) == packed.count)
    var options = CompressedReader.Options()
    options.pool = Pools.of(1)
    options.readSize = 1000
    let reader = try CompressedReader(path: fifo, options: options)
    let isCancelled = Tally()
    reader.isCancelled = { isCancelled.add() > 2 }
    var bytes = Bytes(repeating: 0, count: 30_000)
    let error = #expect(throws: WorkpoolError.self) {
      // What is there comes first, as ever.
      let count = try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
      #expect(count <= 20_000)
      _ = try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
    }
    #expect(error?.status == .cancelled)
  }

  @Test("a reader that goes does not wait for the writer of a FIFO")
  func leave() throws {
    let fifo = folder.makeFIFO("fifo")
    let writer = open(fifo, O_RDWR)
    defer { close(writer) }
    // More than one piece, or it would not come out before the end.
    let packed = gzipped(noise(700_000))
    let thread = Thread { _ = packed.withUnsafeBytes { write(writer, $0.baseAddress, 600_000) } }
    thread.start()
    var options = CompressedReader.Options()
    options.pool = Pools.of(2)
    options.readSize = 1000
    let reader = try CompressedReader(path: fifo, options: options)
    var bytes = Bytes(repeating: 0, count: 100_000)
    #expect(try bytes.withUnsafeMutableBytes { try reader.read(into: $0) } == 100_000)
  }

  @Test("a writer of a FIFO that dies leaves a file that is cut")
  func deadWriter() {
    let packed = bgzf(Self.text, blockSize: 65_280)
    let whole = Int(packed[16]) + Int(packed[17]) << 8 + 1
    for (count, status) in [(packed.count / 2, Status.truncatedInput), (whole, nil)] {
      var outcomes: [Outcome] = []
      for pool in [nil, Pools.of(1), Pools.of(8)] {
        let fifo = folder.makeFIFO("fifo")
        let writer = Thread {
          let handle = FileHandle(forWritingAtPath: fifo)!
          handle.write(Data(packed[..<count]))
          try? handle.close()
        }
        writer.start()
        var options = CompressedReader.Options()
        options.pool = pool
        outcomes.append(readAll(fifo, options: options))
        unlink(fifo)
      }
      #expect(outcomes[0].error?.status == status)
      #expect(outcomes[1] == outcomes[0] && outcomes[2] == outcomes[0])
    }
  }

  @Test("an error of the system in the middle comes behind all that was whole")
  func failingDevice() {
    let packed = bgzf(Self.text, blockSize: 65_280)
    let count = packed.count * 2 / 3
    var outcomes: [Outcome] = []
    for pool in [nil, Pools.of(1), Pools.of(2), Pools.of(8)] {
      // The master of a terminal whose slave is gone: what was written, then EIO.
      var (master, slave) = (Int32(0), Int32(0))
      precondition(openpty(&master, &slave, nil, nil, nil) == 0)
      var raw = termios()
      tcgetattr(slave, &raw)
      cfmakeraw(&raw)
      tcsetattr(slave, TCSANOW, &raw)
      let writer = Thread { [slave] in
        let handle = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        handle.write(Data(packed[..<count]))
        try? handle.close()
      }
      writer.start()
      var options = CompressedReader.Options()
      options.pool = pool
      outcomes.append(
        readAll(.descriptor(master, name: "disk"), options: options, chunk: { 10_000 }))
      close(master)
    }
    #expect(outcomes[0].error?.systemError == EIO, "\(outcomes[0])")
    #expect(outcomes[0].error?.place == "byte \(count) of the file")
    #expect(outcomes[0].bytes.count > 500_000)
    let isPrefix = Self.text.starts(with: outcomes[0].bytes)
    #expect(isPrefix)
    for outcome in outcomes { #expect(outcome == outcomes[0]) }
  }

  @Test("a file that is cut while it is read is an error")
  func cutMeanwhile() throws {
    // Far more than is read ahead.
    let block = bgzf(noise(65_280), blockSize: 65_280, marked: false)
    let packed = (0..<600).flatMap { _ in block }
    for pool in [nil, Pools.of(1), Pools.of(2)] {
      let path = folder.write("input", packed)
      var options = CompressedReader.Options()
      options.pool = pool
      let reader = try CompressedReader(path: path, options: options)
      var bytes = Bytes(repeating: 0, count: 1 << 20)
      #expect(try bytes.withUnsafeMutableBytes { try reader.read(into: $0) } == 1 << 20)
      truncate(path, 30_000_000)
      let error = #expect(throws: WorkpoolError.self) {
        while try bytes.withUnsafeMutableBytes({ try reader.read(into: $0) }) > 0 {}
      }
      #expect(error?.status == .truncatedInput)
      #expect(error?.place?.hasSuffix("(byte 30000000 of the file)") == true)
    }
  }
}
