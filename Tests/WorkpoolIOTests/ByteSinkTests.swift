// SPDX-License-Identifier: MIT
import Foundation
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct ByteSinkTests {
  let folder = TemporaryFolder()

  @Test("all bytes arrive through a pipe that takes few at a time and does not block")
  func slowPipe() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    let (from, done) = (ends[0], DispatchSemaphore(value: 0))
    nonisolated(unsafe) var seen = Data()
    let reader = Thread {
      seen = FileHandle(fileDescriptor: from).readDataToEndOfFile()
      done.signal()
    }
    reader.start()
    let sink = try ByteSink(descriptor: ends[1], name: "pipe")
    close(ends[1])
    let bytes = noise(300_000)
    try bytes.withBytes { (bytes) throws(WorkpoolError) in try sink.write(bytes) }
    #expect(sink.bytesWritten == 300_000)
    try sink.close()
    done.wait()
    let isSame = Bytes(seen) == bytes
    #expect(isSame)
    close(from)
  }

  @Test("a closed sink takes nothing")
  func closed() throws {
    let sink = try ByteSink(path: folder["a"])
    try sink.close()
    try sink.close()
    let error = #expect(throws: WorkpoolError.self) {
      try [1].withBytes { (bytes) throws(WorkpoolError) in try sink.write(bytes) }
    }
    #expect(error?.status == .closed)
    #expect(throws: WorkpoolError.self) { try ByteSink(path: folder["missing/a"]) }
  }

  @Test("a file over the size limit is EFBIG with the bytes that went before, and no signal")
  func sizeLimit() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      var limit = rlimit(rlim_cur: 1000, rlim_max: 1000)
      setrlimit(__rlimit_resource_t(1), &limit)  // RLIMIT_FSIZE
      do throws(WorkpoolError) {
        let sink = try ByteSink(path: folder["a"])
        try noise(3000).withBytes { (bytes) throws(WorkpoolError) in try sink.write(bytes) }
        fatalError("nothing was refused")
      } catch {
        precondition(error.systemError == EFBIG && error.text.contains("after 1000 bytes"))
      }
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
}
