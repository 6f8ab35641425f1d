// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What a stream turned out to be.
public struct StreamInfo: Sendable {
  public var compression: Compression
  /// What the first bytes said, where somebody asked.
  public var records: RecordFormat?
  /// Members, blocks or frames begun; 0 in a plain stream.
  public var parts: UInt64
  /// Bytes of the file that were taken so far.
  public var packedBytes: UInt64
  /// Decoded bytes handed out so far.
  public var decodedBytes: UInt64
}

/// The decoded bytes of a plain, gzip, BGZF or zstd stream, told apart by content.
///
/// Every member, block and frame is read to its checked end: the end of the stream is reported
/// only after all of it was sound. Bytes come in, decoded bytes and one end come out; nothing
/// else sees members, so who unpacks them, and in how many threads, may change behind this face.
///
/// Threads: one at a time.
public final class CompressedReader {
  public struct Options: Sendable {
    public var trailing = TrailingBytes.error
    /// The largest window, in bytes, that a zstd frame may ask for; at most 2 GiB.
    public var maxWindow: UInt64 = 128 << 20
    /// Bytes asked of the source at once; changes no result.
    public var readSize = 256 << 10
    public init() {}
  }

  private let source: ByteSource
  private let unpacker: Unpacker
  private let head = ByteBuffer()
  private var headTaken = 0
  private var failure: WorkpoolError?
  private var isAtEnd = false
  private var decodedBytes: UInt64
  private let isContinued: Bool
  private var records: RecordFormat?

  /// What is worth telling but no error, complete with the path; complete itself at the end.
  public private(set) var notes: [String] = []

  /// Reads the first bytes of `source`.
  ///
  /// Errors: `unsupported` for other packings, `ioFailed`, `noMemory`.
  public convenience init(
    _ source: ByteSource, options: Options = Options()
  ) throws(WorkpoolError) {
    try self.init(source, options: options, continuing: nil, decodedBefore: 0)
  }

  /// Goes on where `source` is.
  /// - Parameters:
  ///   - compression: what the stream is known to be; nil: as its first bytes say.
  ///   - decodedBefore: decoded bytes before that place.
  init(
    _ source: ByteSource, options: Options, continuing compression: Compression?,
    decodedBefore: UInt64
  ) throws(WorkpoolError) {
    let input = try PackedInput(source, readSize: options.readSize)
    self.source = source
    decodedBytes = decodedBefore
    isContinued = compression != nil
    do {
      let known: Compression
      if let compression {
        known = compression
      } else {
        known = try Format.detect(packed: input.peek(Format.prefixSize))
      }
      unpacker =
        switch known {
        case .plain: try Unpacker(input, trailing: options.trailing)
        case .gzip, .bgzf: try GzipUnpacker(input, trailing: options.trailing)
        case .zstd:
          try ZstdUnpacker(input, trailing: options.trailing, maxWindow: options.maxWindow)
        }
    } catch {
      throw error.inFile(source.name)
    }
  }

  public convenience init(
    path: String, options: Options = Options()
  ) throws(WorkpoolError) {
    try self.init(ByteSource(path: path), options: options)
  }

  /// Asked while a read waits for a pipe or FIFO; see `ByteSource.isCancelled`.
  public var isCancelled: (() -> Bool)? {
    get { source.isCancelled }
    set { source.isCancelled = newValue }
  }

  public var name: String { source.name }

  public var info: StreamInfo {
    StreamInfo(
      compression: unpacker.compression, records: records, parts: unpacker.parts,
      packedBytes: unpacker.input.offset, decodedBytes: decodedBytes)
  }

  /// Bytes of a regular file; nil for anything else.
  public var packedSize: UInt64? { source.size }

  /// What the records are, by the first decoded bytes, which `read(into:)` gives all the same;
  /// nil for a stream of nothing.
  ///
  /// To be called before the first `read(into:)`.
  /// Errors: as `Format.detect(decoded:)` and `read(into:)`.
  public func recordFormat() throws(WorkpoolError) -> RecordFormat? {
    if let records { return records }
    if head.count == 0 {
      let room = try head.reserve(Format.prefixSize).part(0..<Format.prefixSize)
      head.count = try unpack(into: room)
    }
    do {
      let found = try Format.detect(decoded: head.bytes)
      records = found
      return found
    } catch {
      throw error.inFile(name)
    }
  }

  /// Fills `bytes`, which is not empty; less only at the end or in front of an error.
  ///
  /// What was decoded in front of an error is returned first, and the error at every call after
  /// it, so what a reader sees does not depend on the sizes it asks for.
  ///
  /// Errors carry the path, the member, block or frame (from 1) and the byte offset in the file:
  /// `corruptInput`, `truncatedInput`, `unsupported`, `limitExceeded`, `ioFailed`, `noMemory`.
  /// - Returns: the bytes decoded; 0 only at the end, when all of the file was sound.
  public func read(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    var count = min(head.count - headTaken, bytes.count)
    if count > 0 {
      bytes.copyMemory(from: head.bytes.part(headTaken..<headTaken + count))
      headTaken += count
    }
    if count == 0 || count < bytes.count && failure == nil {
      do { count += try unpack(into: bytes.part(count..<bytes.count)) } catch {
        if count == 0 { throw error }
      }
    }
    decodedBytes += UInt64(count)
    return count
  }

  private func unpack(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    if let failure { throw failure }
    if isAtEnd { return 0 }
    if bytes.isEmpty {
      throw WorkpoolError(.invalidArgument, "no room to read into", path: name)
    }
    var count = 0
    do {
      try unpacker.unpack(into: bytes, count: &count)
    } catch {
      failure = error
      if count == 0 { throw error }
      return count
    }
    if count < bytes.count {
      end(isEmpty: decodedBytes == 0 && count == 0 && head.count == 0 && !isContinued)
    }
    return count
  }

  private func end(isEmpty: Bool) {
    isAtEnd = true
    notes = unpacker.notes
    if isEmpty { notes.append(name + ": holds no data") }
  }
}

extension WorkpoolError {
  /// The same, with the path where none is known yet.
  func inFile(_ path: String) -> WorkpoolError {
    var error = self
    if error.path == nil { error.path = path }
    return error
  }
}
