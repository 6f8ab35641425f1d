// SPDX-License-Identifier: MIT
import Glibc
import WorkpoolCore
import WorkpoolIO

extension Fuzz {
  /// Sniffing, the decoders and all headers. The first byte chooses options, the rest is the file.
  ///
  /// Promise: bytes, notes and error do not depend on how much is asked for at once, nor on workers.
  static func unpack(_ input: UnsafeRawBufferPointer) {
    guard let choice = input.first else { return }
    let file = UnsafeRawBufferPointer(rebasing: input.dropFirst())
    var options = CompressedReader.Options()
    options.trailing = [.error, .warn, .ignore, .error][Int(choice & 3)]
    if choice & 4 != 0 { options.maxWindow = 1 << 20 }
    let whole = decoded(file, options, readSize: 256 << 10, piece: 64 << 10)
    let pieces = decoded(file, options, readSize: 1 + Int(choice >> 3), piece: 1 + Int(choice >> 4))
    check(
      whole.agrees(with: pieces),
      "\(whole.error ?? "the end") with large reads, "
        + "\(pieces.error ?? "the end") with small ones, or other bytes or notes")
    // Slower, so not each time.
    guard choice & 0x18 == 0 else { return }
    options.pool = pool
    let pooled = decoded(file, options, readSize: 1 + Int(choice), piece: 1000)
    check(
      whole.agrees(with: pooled),
      "\(whole.error ?? "the end") without workers, "
        + "\(pooled.error ?? "the end") with them, or other bytes or notes")
  }

  private static let pool: Pool? = {
    var options = Pool.Options()
    options.workers = 2
    return try? Pool(options)
  }()

  /// A file without a name, for one input after the other.
  private static let descriptor: Int32 = {
    var name = Array("/tmp/workpool-fuzz-XXXXXX".utf8CString)
    let descriptor = mkstemp(&name)
    unlink(name)
    return descriptor
  }()

  struct Decoded: Equatable {
    var bytes: [UInt8] = []
    var notes: [String] = []
    var error: String?

    /// Of deflate data that are cut ISA-L may leave the last two bytes out, or not: `ISALInflater`.
    func agrees(with other: Decoded) -> Bool {
      if self == other { return true }
      guard let error, error == other.error, error.contains("ends inside deflate data") else {
        return false
      }
      let (short, long) = bytes.count < other.bytes.count ? (self, other) : (other, self)
      return long.bytes.starts(with: short.bytes) && long.bytes.count <= short.bytes.count + 2
        && notes == other.notes
    }
  }

  /// Up to a MiB: a few bytes may stand for very many.
  private static func decoded(
    _ file: UnsafeRawBufferPointer, _ options: CompressedReader.Options, readSize: Int, piece: Int
  ) -> Decoded {
    let most = 1 << 20
    var result = Decoded()
    var options = options
    options.readSize = readSize
    do {
      check(
        ftruncate(descriptor, 0) == 0
          && pwrite(descriptor, file.baseAddress, file.count, 0) == file.count
          && lseek(descriptor, 0, SEEK_SET) == 0, "room for an input file")
      let reader = try CompressedReader(
        try ByteSource(descriptor: descriptor, name: "input"), options: options)
      var room = [UInt8](repeating: 0, count: piece)
      while result.bytes.count < most {
        let count = try room.withUnsafeMutableBytes { try reader.read(into: $0) }
        if count == 0 { break }
        result.bytes += room[..<count]
      }
      if result.bytes.count < most { result.notes = reader.notes }
    } catch {
      result.error = (error as? WorkpoolError)?.text ?? "\(error)"
    }
    if result.bytes.count >= most {
      result.bytes.removeLast(result.bytes.count - most)
      result.error = nil
    }
    return result
  }

  /// The splitters. The first bytes choose splitter, sizes and pieces, the rest is the stream.
  ///
  /// Promise: the cuts do not depend on how the stream arrives, and blocks and rest are the stream.
  static func cut(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 3 else { return }
    let size = Int(input[1] & 15) + 1
    let maxRecord = Int(input[1] >> 4) * 16 + 16
    let splitter: Splitter =
      switch input[0] % 5 {
      case 0: .lines(LineSplitter(.records(size), maxRecord: maxRecord))
      case 1: .lines(LineSplitter(.bytes(size), maxRecord: maxRecord))
      case 2: .fixed(FixedSplitter(recordSize: size, count: 3))
      case 3: .fastq(FASTQSplitter(records: size, maxRecord: maxRecord))
      default: .lines(LineSplitter(.records(size), delimiter: 0, maxRecord: maxRecord))
      }
    let stream = UnsafeRawBufferPointer(rebasing: input.dropFirst(3))
    let whole = cuts(stream, splitter, piece: stream.count)
    check(whole == cuts(stream, splitter, piece: 1), "the same cuts byte by byte")
    check(
      whole == cuts(stream, splitter, piece: Int(input[2]) + 1),
      "the same cuts in pieces of \(Int(input[2]) + 1)")
  }

  private static func cuts(
    _ stream: UnsafeRawBufferPointer, _ splitter: Splitter, piece: Int
  ) -> [Cut] {
    var splitter = splitter
    var cuts: [Cut] = []
    var start = 0
    var end = min(piece, stream.count)
    while true {
      let isLast = end == stream.count
      let found = splitter.cut(
        UnsafeRawBufferPointer(rebasing: stream[start..<end]), isLast: isLast)
      switch found {
      case .more:
        check(!isLast, "no wish for bytes behind the end")
        end = min(end + piece, stream.count)
      case .block(let size, let records, _):
        check(size > 0 && size <= end - start && records > 0, "a block of what is there")
        start += size
        cuts.append(found)
      default:
        cuts.append(found)
        return cuts
      }
    }
  }
}
