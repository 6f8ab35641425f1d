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

/// Unpacks a stream from its first byte to its checked end.
///
/// The plain stream unpacks to itself; each packed format is a subclass.
class Unpacker {
  let input: PackedInput
  let trailing: TrailingBytes
  /// Members, blocks or frames begun; 0 in a plain stream.
  private(set) var parts: UInt64 = 0
  /// What is worth telling, complete with the path.
  private(set) var notes: [String] = []
  private var partStart: UInt64 = 0

  var compression: Compression { .plain }
  /// What one part is called in messages.
  var partName: StaticString { "part" }

  init(_ input: PackedInput, trailing: TrailingBytes) throws(WorkpoolError) {
    self.input = input
    self.trailing = trailing
  }

  /// Writes decoded bytes behind the first `count` of `bytes` and raises `count`, until `bytes`
  /// is full or the stream ends; after an error `count` says what came before it.
  func unpack(
    into bytes: UnsafeMutableRawBufferPointer, count: inout Int
  ) throws(WorkpoolError) {
    while count < bytes.count {
      let got = try input.read(into: bytes.part(count..<bytes.count))
      if got == 0 { return }
      count += got
    }
  }

  // MARK: For subclasses

  final func beginPart() {
    parts += 1
    partStart = input.offset
  }

  /// Packed bytes of the current part so far.
  final var partSize: UInt64 { input.offset - partStart }

  final func note(_ text: String) { notes.append(input.source.name + ": " + text) }

  /// An error in the current part, at `offset` of the file or where the input is now.
  final func fault(
    _ status: Status, _ message: String, at offset: UInt64? = nil
  ) -> WorkpoolError {
    WorkpoolError(
      status, message, path: input.source.name,
      place: "\(partName) \(parts) (byte \(offset ?? input.offset) of the file)")
  }

  final func truncated(in what: String) -> WorkpoolError {
    fault(.truncatedInput, "the file ends inside \(what)")
  }

  /// Judges bytes behind a part that begin no other one: throws, or takes them to the end.
  final func endWithTrailingBytes() throws(WorkpoolError) {
    if trailing == .error {
      throw WorkpoolError(
        .corruptInput, "other bytes follow the last \(partName)", path: input.source.name,
        place: "byte \(input.offset) of the file")
    }
    let start = input.offset
    while case let bytes = try input.more(), !bytes.isEmpty { input.skip(bytes.count) }
    if trailing == .warn {
      note("ignored \(input.offset - start) bytes behind the last \(partName), from byte \(start)")
    }
  }
}
