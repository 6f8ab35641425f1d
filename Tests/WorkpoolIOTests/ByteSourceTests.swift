// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct ByteSourceTests {
  let folder = TemporaryFolder()

  private func read(_ source: ByteSource, _ count: Int) throws -> Bytes {
    var bytes = Bytes(repeating: 0, count: count)
    let got = try bytes.withUnsafeMutableBytes { try source.read(into: $0) }
    return Bytes(bytes[..<got])
  }

  @Test("a file is read to its end, its size is known and its bytes are counted")
  func file() throws {
    let source = try ByteSource(path: folder.write("a", noise(1000)))
    #expect(source.size == 1000)
    #expect(try read(source, 600) + read(source, 600) == noise(1000))
    #expect(try read(source, 600) == [])
    #expect(source.bytesRead == 1000)
  }

  @Test("a descriptor is read from where it stands and stays open")
  func descriptor() throws {
    let descriptor = open(folder.write("a", noise(1000)), O_RDONLY)
    lseek(descriptor, 400, SEEK_SET)
    #expect(
      try read(ByteSource(descriptor: descriptor, name: "x"), 1000) == Bytes(noise(1000)[400...]))
    #expect(fcntl(descriptor, F_GETFD) >= 0)
    close(descriptor)
  }

  @Test("bytes that come in drops fill the buffer all the same, also without blocking")
  func drops() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    let source = try ByteSource(descriptor: ends[0], name: "pipe")
    let end = ends[1]
    let writer = Thread {
      for byte in UInt8(0)..<100 {
        _ = withUnsafeBytes(of: byte) { write(end, $0.baseAddress!, 1) }
      }
      close(end)
    }
    writer.start()
    #expect(source.size == nil)
    #expect(try read(source, 70) + read(source, 70) == Bytes(0..<100))
    #expect(try read(source, 1) == [])
    close(ends[0])
  }

  @Test("missing files, folders and what may not be read are errors with path and reason")
  func errors() throws {
    func text(_ path: String) -> String? {
      #expect(throws: WorkpoolError.self) { try ByteSource(path: path) }?.text
    }
    #expect(
      text(folder["missing"]) == "\(folder["missing"]): cannot open: No such file or directory")
    #expect(text(folder.path) == "\(folder.path): cannot read: Is a directory")
    let error = #expect(throws: WorkpoolError.self) {
      try ByteSource(descriptor: 9999, name: "input")
    }
    #expect(error?.systemError == EBADF && error?.path == "input")
    if getuid() != 0 {
      chmod(folder.write("closed", [1]), 0)
      #expect(text(folder["closed"])!.hasSuffix("Permission denied"))
    }
  }

  @Test("a failing read is an error with place, again at every later call")
  func failing() throws {
    // /proc/self/mem opens, and its first page cannot be read.
    let source = try ByteSource(path: "/proc/self/mem")
    for _ in 0..<2 {
      let error = #expect(throws: WorkpoolError.self) { try read(source, 10) }
      #expect(error?.text == "/proc/self/mem: byte 0 of the file: cannot read: Input/output error")
    }
  }
}
