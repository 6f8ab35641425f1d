// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct AllocationFailureTests {
  /// Every allocation of `body` fails once; each time it must say so, until none is left.
  static func failEach(_ body: () throws(WorkpoolError) -> Void) {
    var count: Int64 = 0
    while true {
      wpl_fail_allocation_after(count)
      do throws(WorkpoolError) {
        try body()
        wpl_fail_allocation_after(-1)
        precondition(count > 0, "nothing was allocated")
        return
      } catch {
        precondition(error.status == .noMemory, error.text)
      }
      count += 1
      precondition(count < 1000)
    }
  }

  // The counter belongs to the process: a process of its own, away from other tests.
  @Test("reading without memory is an error, whichever allocation fails")
  func reading() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      let text = records(0..<3000)
      for packed in [text, gzipped(text), bgzf(text), zstd(text)] {
        let path = folder.write("input", packed)
        AllocationFailureTests.failEach { () throws(WorkpoolError) in
          let reader = try JoinedBlockReader(
            [.path(path)], splitter: .fastq(.init(records: 1000)), records: .fastq)
          let buffer = ByteBuffer()
          var count = 0
          while let extent = try reader.next(into: buffer) { count += extent.records }
          precondition(count == 3000)
        }
      }
    }
  }

  @Test("writing without memory is an error, whichever allocation fails")
  func writing() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      let text = noise(1_200_000)
      for name in ["a", "a.gz", "a.zst"] {
        AllocationFailureTests.failEach { () throws(WorkpoolError) in
          let writer = try CompressedWriter(path: folder[name])
          for _ in 0..<2 {
            try text.withBytes { (bytes) throws(WorkpoolError) in try writer.write(bytes) }
          }
          _ = try writer.finish()
        }
        precondition(readAll(folder[name]).bytes == text + text)
      }
    }
  }
}
