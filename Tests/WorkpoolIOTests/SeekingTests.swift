// SPDX-License-Identifier: MIT
import Foundation
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct SeekingTests {
  let folder = TemporaryFolder()
  private let text = content(300_000)

  private func reader(_ path: String, gzi: String? = nil) throws -> FileReader {
    try FileReader(.path(path), splitter: .lines(LineSplitter(.records(20))), gzi: gzi)
  }

  private func bytes(_ reader: FileReader, _ count: Int) throws -> Bytes {
    var bytes = Bytes(repeating: 0, count: count)
    let got = try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
    return Bytes(bytes[..<got])
  }

  /// Seeks here and there and compares.
  private func expectSeeks(_ reader: FileReader, seed: UInt64) throws {
    var random = SeededRandom(seed)
    for _ in 0..<30 {
      let place = Int.random(in: 0...text.count + 2, using: &random)
      let count = Int.random(in: 1...40_000, using: &random)
      try reader.seek(to: UInt64(place))
      let start = min(place, text.count)
      #expect(try reader.tell() == UInt64(start), "seed \(seed)")
      let wanted = Bytes(text[start..<min(start + count, text.count)])
      let isSame = try bytes(reader, count) == wanted
      #expect(isSame, "seed \(seed), from \(place)")
    }
  }

  private func error(_ body: () throws -> Void) -> Status? {
    do {
      try body()
      return nil
    } catch {
      return (error as? WorkpoolError)?.status
    }
  }

  @Test("points are found by what lies before them")
  func points() throws {
    var points = SeekPoints()
    for index in 0..<100 {
      try points.append(SeekPoints.Point(packed: UInt64(index * 10), decoded: UInt64(index * 100)))
    }
    for decoded in 0..<10_200 {
      let found = points.index(decoded: UInt64(decoded))
      #expect(found == min(decoded / 100, 99))
    }
    #expect(points.index(packed: 0) == 0 && points.index(packed: 9) == 0)
    #expect(points.index(packed: 10) == 1 && points.index(packed: 5000) == 99)
    #expect(points.count == 100 && points.last?.packed == 990)
  }

  @Test("every packing that has a way in is sought")
  func seeks() throws {
    let joined =
      bgzf(Bytes(text[..<99_999])) + bgzf(Bytes(text[99_999...])) + Bytes(repeating: 0, count: 600)
    let frames = stride(from: 0, to: text.count, by: 70_000).flatMap { start in
      zstd(Bytes(text[start..<min(start + 70_000, text.count)]), sized: true, checked: start > 0)
        + skippable(Bytes("between".utf8))
    }
    for (index, packed) in [text, joined, Bytes(frames)].enumerated() {
      let path = folder.write("input\(index)", packed)
      for seed in 1...3 { try expectSeeks(try reader(path), seed: UInt64(seed)) }
    }
  }

  @Test("virtual offsets of every byte lead back to it")
  func virtualOffsets() throws {
    let text = records(0..<8)
    // Empty blocks before, between and behind.
    let packed =
      endMarker + bgzf(Bytes(text[..<300]), blockSize: 100) + endMarker
      + bgzf(Bytes(text[300...]), blockSize: 90)
    let reader = try reader(folder.write("input", packed))
    var places: [UInt64] = []
    for byte in text {
      places.append(try reader.tellVirtual())
      #expect(try bytes(reader, 1) == [byte])
    }
    #expect(try reader.tellVirtual() == UInt64(packed.count) << 16)
    for (index, place) in places.enumerated() {
      try reader.seek(toVirtual: place)
      #expect(try reader.tellVirtual() == place)
      #expect(try reader.tell() == UInt64(index))
      #expect(try bytes(reader, 5) == Bytes(text[index..<min(index + 5, text.count)]))
    }
    for packedPlace in 0..<UInt64(packed.count) {
      guard !places.contains(where: { $0 >> 16 == packedPlace }) else { continue }
      let status = error { try reader.seek(toVirtual: packedPlace << 16) }
      if status == nil { #expect(packed.dropFirst(Int(packedPlace)).starts(with: endMarker)) }
    }
  }

  @Test("a seek table that is damaged is none, whatever is damaged")
  func damagedSeekTable() throws {
    let path = folder["table.zst"]
    var options = FileWriter.Options()
    options.hasSeekTable = true
    let writer = try FileWriter(.path(path), options)
    try text.withUnsafeBytes { try writer.write($0) }
    _ = try writer.finish()
    let packed = try #require(folder.read("table.zst"))
    let tableSize = 8 + 8 + 9
    for index in packed.count - tableSize..<packed.count {
      for bit in 0..<8 {
        var flipped = packed
        flipped[index] ^= 1 << UInt8(bit)
        let reader = try reader(folder.write("flipped", flipped))
        do {
          try reader.seek(to: 200_000)
          let isSame = try bytes(reader, 100) == Bytes(text[200_000..<200_100])
          #expect(isSame, "byte \(index), bit \(bit)")
        } catch let error as WorkpoolError {
          // What is no skippable frame any more.
          #expect(
            error.status == .unsupported || error.status == .truncatedInput
              || error.status == .corruptInput, "byte \(index), bit \(bit)")
        }
      }
    }
  }

  @Test("a .gzi file cut or changed anywhere fits, or is refused, and never misleads")
  func damagedIndex() throws {
    let path = folder["a.gz"]
    var options = FileWriter.Options()
    options.bgzfIndex = folder["a.gzi"]
    let writer = try FileWriter(.path(path), options)
    try text.withUnsafeBytes { try writer.write($0) }
    _ = try writer.finish()
    let index = try #require(folder.read("a.gzi"))
    #expect(index.count == 8 + 16 * 4)
    for count in 0..<index.count {
      let gzi = folder.write("cut.gzi", index.prefix(count))
      let status = error { try reader(path, gzi: gzi).seek(to: 200_000) }
      #expect(status == .corruptInput, "cut at \(count)")
    }
    for place in 0..<index.count {
      for bit in 0..<8 {
        var flipped = index
        flipped[place] ^= 1 << UInt8(bit)
        let gzi = folder.write("flipped.gzi", flipped)
        let reader = try reader(path, gzi: gzi)
        for start in [200_000, 290_000] {
          do {
            try reader.seek(to: UInt64(start))
            let isSame = try bytes(reader, 100) == Bytes(text[start..<start + 100])
            #expect(isSame, "byte \(place), bit \(bit)")
          } catch let error as WorkpoolError {
            #expect(
              error.status == .corruptInput || error.status == .unsupported,
              "byte \(place), bit \(bit): \(error.text)")
          }
        }
      }
    }
  }

  @Test("a file cut anywhere is sought with an error, or to what is there")
  func cutFiles() throws {
    let text = records(0..<6)
    for packed in [bgzf(text, blockSize: 200), zstd(text, sized: true, checked: true)] {
      for count in 1..<packed.count {
        let path = folder.write("cut", packed.prefix(count))
        guard let reader = try? reader(path) else { continue }
        do {
          try reader.seek(to: 250)
          let got = try bytes(reader, 100)
          let isPrefix = Bytes(text[250...]).starts(with: got)
          #expect(isPrefix || reader.info.compression == .plain, "cut at \(count)")
        } catch let error as WorkpoolError {
          #expect(error.status.isError)
        }
      }
    }
  }

  @Test("files without a way in say so and stay where they were")
  func unsupported() throws {
    let inputs = [
      gzipped(text), bgzf(text) + gzipped(text), zstd(text, sized: false, checked: false),
    ]
    for (index, packed) in inputs.enumerated() {
      let reader = try reader(folder.write("input", packed))
      _ = try bytes(reader, 10)
      #expect(error { try reader.seek(to: 99) } == .unsupported, "input \(index)")
      #expect(try reader.tell() == 10)
      #expect(try bytes(reader, 10) == Bytes(text[10..<20]))
      try reader.seek(to: 0)
      #expect(try bytes(reader, 10) == Bytes(text[..<10]))
    }
  }

  @Test("blocks go into the caller's memory, or say what they need")
  func nextInto() throws {
    let reader = try reader(folder.write("input", bgzf(records(0..<50))))
    var (room, seen) = (Bytes(repeating: 0, count: 7), Bytes())
    var grown = 0
    loop: while true {
      switch try room.withUnsafeMutableBytes({ try reader.next(into: $0) }) {
      case .end: break loop
      case .block(let extent):
        #expect(extent.offset == UInt64(seen.count))
        seen += room[..<extent.size]
      case .tooSmall(let size):
        #expect(size > room.count)
        room = Bytes(repeating: 0, count: size)
        grown += 1
      }
    }
    #expect(seen == records(0..<50) && grown > 0)
  }
}
