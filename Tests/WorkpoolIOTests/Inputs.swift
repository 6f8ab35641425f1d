// SPDX-License-Identifier: MIT
import CPlatform
import CZlib
import CZstd
import Foundation
import WorkpoolCore

@testable import WorkpoolIO

typealias Bytes = [UInt8]

/// A folder for one test, gone with it.
final class TemporaryFolder {
  let path: String

  init() {
    var template = Array((NSTemporaryDirectory() + "/workpool-XXXXXX").utf8CString)
    path = String(cString: mkdtemp(&template)!)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }  // only litter stays behind

  subscript(_ name: String) -> String { path + "/" + name }

  @discardableResult
  func write(_ name: String, _ bytes: some Sequence<UInt8>) -> String {
    precondition(FileManager.default.createFile(atPath: self[name], contents: Data(bytes)))
    return self[name]
  }
  func read(_ name: String) -> Bytes? {
    FileManager.default.contents(atPath: self[name]).map { Bytes($0) }
  }
  var names: [String] { try! FileManager.default.contentsOfDirectory(atPath: path).sorted() }

  func makeFIFO(_ name: String) -> String {
    precondition(mkfifo(self[name], 0o600) == 0)
    return self[name]
  }
}

/// Numbers that are the same in every run.
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

// MARK: Content

func record(_ index: Int, bases: Int = 60) -> Bytes {
  var random = SeededRandom(UInt64(index + 1))
  let sequence = (0..<bases).map { _ in "ACGT".utf8.randomElement(using: &random)! }
  return Bytes("@r\(index) c\n".utf8) + sequence + Bytes("\n+\n".utf8)
    + Bytes(repeating: UInt8(ascii: "I"), count: bases) + Bytes("\n".utf8)
}
func records(_ range: Range<Int>) -> Bytes { range.flatMap { record($0) } }

func noise(_ count: Int, seed: UInt64 = 7) -> Bytes {
  var random = SeededRandom(seed)
  return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 24) }
}

func content(_ count: Int) -> Bytes {
  // Half that packs well, half that does not.
  var bytes = Bytes()
  bytes.reserveCapacity(count + 2000)
  let random = noise(1000)
  while bytes.count < count { bytes += record(bytes.count % 50) + random }
  return Bytes(bytes[..<count])
}

// MARK: Packing, without the code under test

func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> Bytes {
  withUnsafeBytes(of: value.littleEndian) { Bytes($0) }
}
func crc(_ bytes: Bytes) -> UInt32 { UInt32(crc32_z(0, bytes, bytes.count)) }

func deflated(_ bytes: Bytes) -> Bytes {
  var stream = z_stream()
  precondition(wpz_deflate_init(&stream, 6, -15) == Z_OK)
  defer { deflateEnd(&stream) }
  var (input, output) = (bytes, Bytes(repeating: 0, count: bytes.count + bytes.count / 100 + 64))
  let size = input.withUnsafeMutableBufferPointer { from in
    output.withUnsafeMutableBufferPointer { to in
      stream.next_in = from.baseAddress
      stream.avail_in = uInt(from.count)
      stream.next_out = to.baseAddress
      stream.avail_out = uInt(to.count)
      precondition(CZlib.deflate(&stream, Z_FINISH) == Z_STREAM_END)
      return to.count - Int(stream.avail_out)
    }
  }
  return Bytes(output[..<size])
}
func trailer(_ bytes: Bytes) -> Bytes {
  littleEndian(crc(bytes)) + littleEndian(UInt32(truncatingIfNeeded: bytes.count))
}
func gzipped(_ bytes: Bytes) -> Bytes {
  [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff] + deflated(bytes) + trailer(bytes)
}
/// A member with FEXTRA, FNAME, FCOMMENT and FHCRC.
func gzippedWithAllFields(_ bytes: Bytes, checksumFlip: UInt16 = 0) -> Bytes {
  var header: Bytes = [0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 0xff]
  header += littleEndian(UInt16(6)) + Bytes("XX".utf8) + [2, 0] + Bytes("ab".utf8)
  header += Bytes("name\0a comment\0".utf8)
  header += littleEndian(UInt16(truncatingIfNeeded: crc(header)) ^ checksumFlip)
  return header + deflated(bytes) + trailer(bytes)
}

let endMarker: Bytes = [
  0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, 0x42, 0x43, 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0,
  0, 0,
]
func bgzf(_ bytes: Bytes, blockSize: Int = 4000, marked: Bool = true, sizeError: UInt16 = 0)
  -> Bytes
{
  var out = Bytes()
  for start in stride(from: 0, to: bytes.count, by: blockSize) {
    let part = Bytes(bytes[start..<min(start + blockSize, bytes.count)])
    let packed = deflated(part)
    out += [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, 0x42, 0x43, 2, 0]
    out += littleEndian(UInt16(packed.count + 25) &+ sizeError) + packed + trailer(part)
  }
  return out + (marked ? endMarker : [])
}

/// One frame; without `sized` its header says no content size, as from a pipe.
func zstd(_ bytes: Bytes, sized: Bool = false, checked: Bool = false) -> Bytes {
  let context = ZSTD_createCCtx()
  defer { ZSTD_freeCCtx(context) }
  _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checked ? 1 : 0)
  _ = ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, sized ? 1 : 0)
  var out = Bytes(repeating: 0, count: ZSTD_compressBound(bytes.count))
  let size = ZSTD_compress2(context, &out, out.count, bytes, bytes.count)
  precondition(ZSTD_isError(size) == 0)
  return Bytes(out[..<size])
}
func skippable(_ bytes: Bytes, magic: UInt32 = 0x184d_2a50) -> Bytes {
  littleEndian(magic) + littleEndian(UInt32(bytes.count)) + bytes
}

// MARK: Reading

/// What a reader made of a file.
struct Outcome: Equatable, CustomStringConvertible {
  var bytes = Bytes()
  var error: WorkpoolError?
  var notes: [String] = []
  var info: StreamInfo?

  /// All that is promised to be the same, however a file is read.
  static func == (one: Outcome, other: Outcome) -> Bool {
    one.bytes == other.bytes && one.description == other.description
  }

  var description: String {
    var text = "\(bytes.count) bytes (\(crc(bytes))), \(error?.text ?? "no error"), \(notes)"
    if let info {
      text +=
        ", \(info.compression), \(info.parts) parts, \(info.packedBytes) of the file, "
        + "\(info.decodedBytes) decoded"
    }
    return text
  }
}

func readAll(
  _ path: String, options: CompressedReader.Options = .init(), chunk: Int = 1 << 16
) -> Outcome {
  readAll(.path(path), options: options, chunk: { chunk })
}

func readAll(
  _ input: Endpoint, options: CompressedReader.Options = .init(), chunk: () -> Int
) -> Outcome {
  var outcome = Outcome()
  var reader: CompressedReader?
  do throws(WorkpoolError) {
    let opened = try CompressedReader(ByteSource(input), options: options)
    reader = opened
    while true {
      var buffer = Bytes(repeating: 0, count: chunk())
      let result = buffer.withUnsafeMutableBytes { bytes -> Result<Int, WorkpoolError> in
        do throws(WorkpoolError) { return .success(try opened.read(into: bytes)) } catch {
          return .failure(error)
        }
      }
      let count = try result.get()
      if count == 0 { break }
      outcome.bytes += buffer[..<count]
    }
  } catch {
    outcome.error = error
  }
  outcome.notes = reader?.notes ?? []
  outcome.info = reader?.info
  return outcome
}

// MARK: Other programs

func hasTool(_ name: String) -> Bool { run(["sh", "-c", "command -v \(name)"]).status == 0 }

/// Runs a program found by name; its output and exit status.
func run(_ command: [String]) -> (status: Int32, output: Bytes) {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = command
  let pipe = Pipe()
  process.standardOutput = pipe
  process.standardError = FileHandle.nullDevice
  do { try process.run() } catch { return (-1, []) }
  let output = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return (process.terminationStatus, Bytes(output))
}

extension [UInt8] {
  /// Typed errors do not pass through the standard library's closures.
  func withBytes<Value>(
    _ body: (UnsafeRawBufferPointer) throws(WorkpoolError) -> Value
  ) throws(WorkpoolError) -> Value {
    try withUnsafeBytes { bytes -> Result<Value, WorkpoolError> in
      do throws(WorkpoolError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }.get()
  }
}
