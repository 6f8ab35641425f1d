// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

/// What a codec for streams does with the pieces it is given, and what it leaves.
@Suite struct InflaterTests {
  private struct Result {
    var made = Bytes()
    var taken = 0
    var isEnded = false
    var isDamaged = false
  }

  /// Feeds `packed` in pieces; ends where there is nothing more to do.
  private func inflate(
    _ inflater: borrowing Inflater, _ packed: Bytes, piece: Int, room: Int
  ) -> Result {
    var result = Result()
    var (buffer, isFlushed) = (Bytes(repeating: 0, count: room), true)
    inflater.reset()
    while true {
      let end = isFlushed ? min(result.taken + piece, packed.count) : result.taken
      // A copy of just this piece: a byte read behind it shows under the address sanitizer.
      let step = Bytes(packed[result.taken..<end]).withUnsafeBytes { piece in
        buffer.withUnsafeMutableBytes { inflater.inflate(piece, into: $0) }
      }
      let isStuck = isFlushed && step.taken == 0 && step.made == 0
      result.made += buffer[..<step.made]
      result.taken += step.taken
      isFlushed = step.made < room
      result.isEnded = step.outcome == .ended
      result.isDamaged = step.outcome == .damaged
      if step.outcome != .goesOn || isStuck { return result }
    }
  }

  @Test("a stream gives the same bytes in pieces of any size, and takes none of what follows it")
  func pieces() throws {
    let inflater = try Inflater()
    for bytes in [[], [7], records(0..<3), content(200_000), noise(70_000)] {
      let packed = deflated(bytes)
      for behind in [0, 1, 8, 300] {
        for (piece, room) in [(1 << 20, 1 << 20), (1, 1 << 17), (9, 100), (1000, 1), (77, 4096)] {
          let input = packed + Bytes(repeating: 0x1f, count: behind)
          let result = inflate(inflater, input, piece: piece, room: room)
          let isSame = result.made == bytes
          #expect(result.isEnded && isSame && result.taken == packed.count)
        }
      }
    }
  }

  @Test("a cut stream gives what came before it, but for a literal or two")
  func cuts() throws {
    let inflater = try Inflater()
    let bytes = records(0..<12)
    let packed = deflated(bytes)
    for cut in 0..<packed.count {
      let result = inflate(inflater, Bytes(packed[..<cut]), piece: 1 + cut % 50, room: 64)
      let isPrefix = bytes.starts(with: result.made)
      #expect(!result.isEnded && !result.isDamaged && isPrefix, "cut at \(cut)")
    }
    let nearly = inflate(inflater, Bytes(packed.dropLast()), piece: 50, room: 64)
    #expect(nearly.made.count > bytes.count - 300)
  }

  @Test("before damage comes all that is sound, and nothing else")
  func damage() throws {
    let inflater = try Inflater()
    let first = records(0..<40)
    for stored: Bytes in [[], Bytes(repeating: 9, count: 70_000)] {
      // A whole block of deflate data, then one that copies from before the first byte.
      var sound = Bytes()
      var left = stored[...]
      while !left.isEmpty {
        let part = left.prefix(60_000)
        let count = UInt16(part.count)
        sound += [0] + littleEndian(count) + littleEndian(~count) + part
        left = left.dropFirst(part.count)
      }
      let count = UInt16(first.count)
      sound += [0] + littleEndian(count) + littleEndian(~count) + first
      let bytes = stored + first
      let tooFar: Bytes = bytes.count < 32_768 ? [0x03, 0xfe, 0x7f, 0] : [7]
      for (piece, room) in [(1 << 20, 1 << 20), (1, 100), (5000, 7), (100, 1 << 17)] {
        let result = inflate(inflater, sound + tooFar + [0, 0, 0], piece: piece, room: room)
        let isSame = result.made == bytes
        #expect(result.isDamaged && isSame)
      }
    }
  }

  @Test("a bit flipped anywhere is damage, an end or a want of more")
  func flips() throws {
    let inflater = try Inflater()
    let packed = deflated(records(0..<12))
    var damaged = 0
    for bit in 0..<packed.count * 8 {
      var flipped = packed
      flipped[bit / 8] ^= 1 << (bit % 8)
      if inflate(inflater, flipped, piece: 40, room: 333).isDamaged { damaged += 1 }
    }
    #expect(damaged > packed.count)
  }
}
