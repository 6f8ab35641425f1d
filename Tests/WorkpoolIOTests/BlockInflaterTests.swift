// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct BlockInflaterTests {
  /// What is in the room is `made` after `ended`.
  private func inflate(
    _ inflater: borrowing BlockInflater, _ packed: Bytes, room: Int
  ) -> (outcome: BlockOutcome, made: Bytes) {
    var made = Bytes(repeating: 0xee, count: room + 8)
    let outcome = made.withUnsafeMutableBytes { made in
      packed.withUnsafeBytes { inflater.inflate($0, into: made.part(0..<room)) }
    }
    let isInside = made[room...].allSatisfy { $0 == 0xee }
    #expect(isInside, "it wrote behind its room")
    return (outcome, Bytes(made[..<room]))
  }

  @Test("blocks of any size come out whole, one after the other, whatever came before")
  func sizes() throws {
    let inflater = try BlockInflater()
    for count in [0, 1, 2, 7, 100, 65_279, 65_280, 65_536, 1 << 20, 0, 3] {
      for bytes in [content(count), noise(count), Bytes(repeating: 65, count: count)] {
        let (outcome, made) = inflate(inflater, deflated(bytes), room: count)
        let isSame = made == bytes
        #expect(outcome == .ended && isSame)
        // The next block does not suffer from this one.
        #expect(inflate(inflater, [6, 1, 2], room: 10).outcome == .damaged)
      }
    }
  }

  @Test("a block that makes more or fewer bytes, or is followed by some, is damaged")
  func sizesThatDoNotFit() throws {
    let inflater = try BlockInflater()
    let bytes = records(0..<50)
    let (packed, count) = (deflated(bytes), bytes.count)
    for (input, room) in [
      (packed, count - 1), (packed, 0), (packed, count + 1), (packed + [0], count),
      (packed + packed, count), (packed + packed, 2 * count), ([], 0), ([], 5),
    ] {
      #expect(inflate(inflater, input, room: room).outcome == .damaged)
    }
  }

  @Test("a block of each wrong kind is damaged")
  func kinds() throws {
    let inflater = try BlockInflater()
    for start: Bytes in [
      [7],  // reserved type
      [1, 5, 0, 0, 0],  // LEN and NLEN of a stored block
      [5, 0, 0],  // lengths without end
      [3, 2],  // a distance before the first byte
    ] {
      let packed = start + Bytes(repeating: 0, count: 30)
      #expect(inflate(inflater, packed, room: 100).outcome == .damaged)
    }
  }

  @Test("a block cut anywhere is damaged, and a bit flipped anywhere is never a crash")
  func everyByteAndBit() throws {
    let inflater = try BlockInflater()
    let bytes = records(0..<12)
    let packed = deflated(bytes)
    for cut in 0..<packed.count {
      let outcome = inflate(inflater, Bytes(packed[..<cut]), room: bytes.count).outcome
      #expect(outcome != .ended, "cut at \(cut)")
    }
    for bit in 0..<packed.count * 8 {
      var flipped = packed
      flipped[bit / 8] ^= 1 << (bit % 8)
      // Ends with other bytes, or even the same: the checksum of the block is not seen here.
      #expect(inflate(inflater, flipped, room: bytes.count).outcome != .noMemory)
    }
  }
}
