// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

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
