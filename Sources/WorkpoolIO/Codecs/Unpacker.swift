// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What to do with bytes behind the last member or frame that begin no other one.
public enum TrailingBytes: Sendable {
  /// Refuse the file.
  case error
  /// Note them and end.
  case warn
  /// End.
  case ignore
}

/// Whole BGZF blocks or zstd frames, one behind the other: each can be unpacked by itself.
struct PackedRun {
  /// `bgzf` or `zstd`.
  let compression: Compression
  /// Number of the first one in the file, from 1, and where it begins there.
  let firstPart: UInt64
  let offset: UInt64
  /// The most that they unpack to.
  let decodedSize: Int
  /// Valid until the next look at the input.
  let bytes: UnsafeRawBufferPointer
}

/// What comes next of a stream.
enum Piece {
  /// So many decoded bytes, at least one, or what is `unchecked`.
  case decoded(Int)
  /// What a `PartDecoder` unpacks, in this or another thread.
  case packed(PackedRun)
  /// The end: all that was unpacked here was sound.
  case end
}

/// What somebody else has yet to check of decoded bytes: they are all of one member.
struct Unchecked {
  /// The member's checksum before these bytes; nil: that up to the last ones that were not checked.
  let before: UInt32?
  /// What its checksum has to be, if it ends behind them, and where the file says so.
  var wanted: (checksum: UInt32, offset: UInt64)?
}

/// How far a stream was taken.
struct StreamPlace {
  var compression: Compression
  /// Members, blocks or frames begun; 0 in a plain stream.
  var parts: UInt64 = 0
  /// Bytes of the file.
  var packedBytes: UInt64 = 0
}

/// Takes a stream apart from its first byte to its checked end, in order.
///
/// Between two parts it alone looks at the headers. A part whose size is known before it is unpacked, and
/// small enough, is handed out packed; all others it unpacks itself. What comes out, put together, what
/// it notes and where it fails does not depend on how much is asked for at once.
///
/// The plain stream unpacks to itself; each packed format is a subclass.
class Unpacker {
  /// About what a run of parts unpacks to, unless one of them is larger.
  static let runSize = 1 << 20
  /// Larger parts, packed or not, are unpacked here.
  static let largestPart = 16 << 20

  let input: PackedInput
  let trailing: TrailingBytes
  /// Members, blocks or frames begun; 0 in a plain stream.
  private(set) var parts: UInt64
  /// What is worth telling, complete with the path.
  private(set) var notes: [String] = []
  /// Whether the end of the stream was found, and all was sound.
  final var isAtEnd = false
  /// Whether somebody else checks the bytes of long members.
  final var leavesChecks = false
  /// What is left to be checked of the last decoded bytes; there may be none of them, and a check.
  final var unchecked: Unchecked?
  /// For bytes that should not be there.
  final let spill = ByteBuffer()
  private var partStart: UInt64 = 0
  private var failure: WorkpoolError?

  var compression: Compression { .plain }
  /// What one part is called in messages.
  var partName: StaticString { "part" }

  final var place: StreamPlace {
    StreamPlace(compression: compression, parts: parts, packedBytes: input.offset)
  }

  /// - Parameter parts: how many lie before the input.
  init(
    _ input: PackedInput, trailing: TrailingBytes = .error, parts: UInt64 = 0
  ) throws(WorkpoolError) {
    self.input = input
    self.trailing = trailing
    self.parts = parts
  }

  /// The next piece; once it throws, it always does.
  /// - Parameters:
  ///   - bytes: where decoded bytes are written; not empty.
  ///   - limit: what a run may unpack to; a single part may always.
  final func next(
    into bytes: UnsafeMutableRawBufferPointer, runSize limit: Int
  ) throws(WorkpoolError) -> Piece {
    if let failure { throw failure }
    var count = 0
    unchecked = nil
    do throws(WorkpoolError) {
      while !isAtEnd {
        if let run = try takeRun(atMost: limit) { return .packed(run) }
        try unpack(into: bytes, count: &count)
        if count > 0 || unchecked?.wanted != nil { return .decoded(count) }
      }
    } catch {
      failure = error
      if count == 0 && unchecked?.wanted == nil { throw error }
      return .decoded(count)
    }
    return .end
  }

  // MARK: Of each format

  /// For the runs that `next` hands out; one for each thread.
  func makeDecoder() throws(WorkpoolError) -> PartDecoder {
    preconditionFailure("a plain stream has no parts")
  }

  /// Whole parts, if such are next.
  func takeRun(atMost limit: Int) throws(WorkpoolError) -> PackedRun? { nil }

  /// Writes decoded bytes behind the first `count` of `bytes` and raises `count`, until `bytes`
  /// is full, the stream ends, or a whole part is next; after an error `count` says what came before
  /// it.
  func unpack(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    while count < bytes.count {
      let got = try input.read(into: bytes.part(count..<bytes.count))
      if got == 0 {
        isAtEnd = true
        return
      }
      count += got
    }
  }

  // MARK: For subclasses

  final func beginPart() {
    parts += 1
    partStart = input.offset
  }

  /// Takes a run of `count` parts from the input.
  final func handOut(
    _ count: UInt64, _ compression: Compression, size: Int, decodedSize: Int
  ) -> PackedRun {
    let run = PackedRun(
      compression: compression, firstPart: parts + 1, offset: input.offset,
      decodedSize: decodedSize, bytes: input.unread.part(0..<size))
    input.skip(size)
    parts += count
    return run
  }

  /// Packed bytes of the current part so far.
  final var partSize: UInt64 { input.offset - partStart }

  final func note(_ text: String) { notes.append(input.name + ": " + text) }

  /// An error in the current part, at `offset` of the file or where the input is now.
  final func fault(
    _ status: Status, _ message: String, at offset: UInt64? = nil
  ) -> WorkpoolError {
    fault(status, message, part: parts, at: offset ?? input.offset)
  }

  /// The same in a part that another thread looks at.
  final func fault(
    _ status: Status, _ message: String, part: UInt64, of partName: StaticString? = nil,
    at offset: UInt64
  ) -> WorkpoolError {
    WorkpoolError(
      status, message, path: input.name,
      place: "\(partName ?? self.partName) \(part) (byte \(offset) of the file)")
  }

  final func truncated(in what: String) -> WorkpoolError {
    fault(.truncatedInput, "the file ends inside \(what)")
  }

  /// Judges bytes behind a part that begin no other one: throws, or takes them to the end.
  final func endWithTrailingBytes() throws(WorkpoolError) {
    if trailing == .error {
      throw WorkpoolError(
        .corruptInput, "other bytes follow the last \(partName)", path: input.name,
        place: "byte \(input.offset) of the file")
    }
    let start = input.offset
    while case let bytes = try input.more(), !bytes.isEmpty { input.skip(bytes.count) }
    if trailing == .warn {
      note("ignored \(input.offset - start) bytes behind the last \(partName), from byte \(start)")
    }
  }
}
