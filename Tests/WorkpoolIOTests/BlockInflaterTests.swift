// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct BlockInflaterTests {
  /// A `damaged` says why; `made` is what is in the room after `ended`.
  private func inflate(
    _ inflater: borrowing BlockInflater, _ packed: Bytes, room: Int
  ) -> (outcome: BlockInflater.Outcome, made: Bytes) {
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
        guard case .damaged = inflate(inflater, [6, 1, 2], room: 10).outcome else {
          Issue.record("a damaged block of a reserved kind passed")
          continue
        }
      }
    }
  }

  @Test("a block that makes more or fewer bytes, or is followed by some, is damaged and says so")
  func sizesThatDoNotFit() throws {
    let inflater = try BlockInflater()
    let bytes = records(0..<50)
    let packed = deflated(bytes)
    func why(_ packed: Bytes, _ room: Int) -> BlockInflater.Outcome {
      inflate(inflater, packed, room: room).outcome
    }
    let count = bytes.count
    #expect(why(packed, count - 1) == .damaged("it does not end after \(count - 1) bytes"))
    #expect(why(packed, 0) == .damaged("it does not end after 0 bytes"))
    #expect(why(packed, count + 1) == .damaged("it makes \(count) bytes, not \(count + 1)"))
    #expect(why(packed + [0], count) == .damaged("1 bytes follow its end"))
    #expect(why(packed + packed, count) == .damaged("\(packed.count) bytes follow its end"))
    #expect(why([], 0) == .damaged("it does not end after 0 bytes"))
    #expect(why([], 5) == .damaged("it is cut"))
    #expect(why(Bytes(packed.dropLast()), count + 1) == .damaged("it is cut"))
  }

  @Test("what is wrong in a block has the same words with every library")
  func words() throws {
    let inflater = try BlockInflater()
    func why(_ packed: Bytes) -> BlockInflater.Outcome {
      inflate(inflater, packed + Bytes(repeating: 0, count: 30), room: 100).outcome
    }
    #expect(why([7]) == .damaged("invalid block type"))
    #expect(why([1, 5, 0, 0, 0]) == .damaged("invalid stored block lengths"))
    #expect(why([0xfd, 0xff]) == .damaged("too many length or distance symbols"))
    #expect(why([3, 2]) == .damaged("invalid distance too far back"))
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
