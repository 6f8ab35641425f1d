// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Bytes of a file, FIFO, device or descriptor from its current place to its end.
///
/// Threads: one at a time.
public final class ByteSource {
  /// The path, or what the caller calls the descriptor.
  public let name: String
  /// Bytes of a regular file when it was opened; nil for anything else.
  public let size: UInt64?
  /// Where the next read begins: bytes read so far, or the place sought and those read since.
  public private(set) var bytesRead: UInt64 = 0
  /// Where a regular file was when it was opened; all places count from there.
  private let start: UInt64
  /// Whether the place is not that of the descriptor, which others may move.
  private let hasOwnPlace: Bool

  private let descriptor: Int32
  private var isAtEnd = false
  private var failure: WorkpoolError?

  /// Asked now and then while the source waits for bytes of a pipe, a FIFO or a device: true ends
  /// the wait with the error `cancelled`. Regular files are never waited for.
  public var isCancelled: (() -> Bool)?
  private static let waitSlice: Int32 = 50
  private static let largestOffset = UInt64(Int64.max) / 2

  /// Opens `path` for reading. A FIFO is waited for, by the first read, until somebody writes to it.
  ///
  /// Errors: `ioFailed` with errno where it is missing, not readable or a folder.
  public convenience init(path: String) throws(WorkpoolError) {
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_INPUT))
    if descriptor < 0 {
      throw WorkpoolError(.ioFailed, "cannot open", path: path, systemError: -descriptor)
    }
    try self.init(owning: descriptor, name: path)
  }

  /// Reads from a duplicate of `descriptor`, called `name` in messages.
  public convenience init(descriptor: Int32, name: String) throws(WorkpoolError) {
    let own = wpl_file_duplicate(descriptor)
    if own < 0 { throw WorkpoolError(.ioFailed, "cannot read", path: name, systemError: -own) }
    try self.init(owning: own, name: name)
  }

  public convenience init(_ endpoint: Endpoint) throws(WorkpoolError) {
    switch endpoint {
    case .path(let path): try self.init(path: path)
    case .descriptor(let descriptor, let name): try self.init(descriptor: descriptor, name: name)
    }
  }

  /// - Parameter place: for a copy of a source, where that began and where this one does.
  private init(
    owning descriptor: Int32, name: String, place: (start: UInt64, offset: UInt64)? = nil
  ) throws(WorkpoolError) {
    var info = wpl_file_info()
    var result = wpl_file_info_of(descriptor, &info)
    if result == 0 && info.isFolder { result = -EISDIR }
    self.descriptor = descriptor
    self.name = name
    hasOwnPlace = place != nil
    if let place {
      start = place.start
      bytesRead = place.offset
    } else {
      let found = result == 0 && info.isRegular ? wpl_file_place(descriptor) : 0
      start = found < 0 ? 0 : UInt64(found)
    }
    size = info.isRegular ? info.size : nil
    if result < 0 {
      throw WorkpoolError(.ioFailed, "cannot read", path: name, systemError: -result)
    }
  }

  deinit { _ = wpl_file_close(descriptor) }  // nothing was written: a failure loses nothing

  /// Fills `bytes`; less only at the end.
  ///
  /// What was read before an error is returned first, and the error at every call after it.
  /// - Returns: the bytes read; 0 only at the end.
  public func read(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    try read(into: bytes, waitsForAll: true)
  }

  /// The same, but of a pipe, FIFO or device what there is: a reader must not wait for more than it needs.
  func readSome(into bytes: UnsafeMutableRawBufferPointer) throws(WorkpoolError) -> Int {
    try read(into: bytes, waitsForAll: size != nil)
  }

  private func read(
    into bytes: UnsafeMutableRawBufferPointer, waitsForAll: Bool
  ) throws(WorkpoolError) -> Int {
    if let failure { throw failure }
    if size == nil && bytesRead == 0 && isCancelled == nil {
      // A FIFO that nobody has opened yet is not at its end.
      _ = wpl_file_wait_input(descriptor, -1)
    }
    var count = 0
    while count < bytes.count && !isAtEnd {
      if size == nil, isCancelled != nil, !waitForInput() {
        throw WorkpoolError(.cancelled, "cancelled", path: name)
      }
      let (room, most) = (bytes.baseAddress! + count, bytes.count - count)
      let got =
        hasOwnPlace
        ? wpl_file_read_at(descriptor, start + min(bytesRead, Self.largestOffset), room, most)
        : wpl_file_read(descriptor, room, most)
      if got < 0 {
        let error = cannotRead(at: bytesRead, Int32(got))
        failure = error
        if count == 0 { throw error }
        break
      }
      // Kept: behind the end of a terminal's input there may be more.
      isAtEnd = got == 0
      count += Int(got)
      bytesRead += UInt64(got)
      if !waitsForAll && got > 0 { break }
    }
    return count
  }

  // MARK: Regular files

  /// Bytes of a regular file from where it was opened, when it was opened.
  var sizeFromStart: UInt64? { size.map { $0 - min($0, start) } }

  /// Bytes from `offset` on, wherever the next `read` begins; fewer only at the end.
  func read(
    at offset: UInt64, into bytes: UnsafeMutableRawBufferPointer
  ) throws(WorkpoolError) -> Int {
    guard let memory = bytes.baseAddress, offset <= Self.largestOffset else { return 0 }
    let got = wpl_file_read_at(descriptor, start + offset, memory, bytes.count)
    if got < 0 { throw cannotRead(at: offset, Int32(got)) }
    return Int(got)
  }

  /// The same regular file from another place on. Where either of them is does not matter to the other.
  func copy(at offset: UInt64) throws(WorkpoolError) -> ByteSource {
    guard size != nil else {
      throw WorkpoolError(.unsupported, "cannot be sought: it is no regular file", path: name)
    }
    let own = wpl_file_duplicate(descriptor)
    if own < 0 { throw cannotRead(at: offset, own) }
    return try ByteSource(owning: own, name: name, place: (start, offset))
  }

  private func cannotRead(at offset: UInt64, _ result: Int32) -> WorkpoolError {
    WorkpoolError(
      .ioFailed, "cannot read", path: name, place: "byte \(offset) of the file",
      systemError: -result)
  }

  /// - Returns: false when the wait was cancelled; an error is left to the read.
  private func waitForInput() -> Bool {
    while wpl_file_wait_input(descriptor, Self.waitSlice) == 0 {
      if isCancelled?() == true { return false }
    }
    return true
  }
}
