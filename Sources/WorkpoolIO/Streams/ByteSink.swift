// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Writes bytes to a file, FIFO, device or descriptor, all of them or an error.
///
/// Threads: one at a time.
public final class ByteSink {
  /// The path that messages name, or what the caller calls the descriptor.
  public let name: String
  public private(set) var bytesWritten: UInt64 = 0
  /// Whether `close` waits until the device has the bytes.
  public let syncs: Bool

  /// Is shown all that was written, piece by piece.
  public var watch: ((UnsafeRawBufferPointer) -> Void)?
  /// What `write` fails with before it has written more bytes than these.
  var failure: (afterBytes: UInt64, systemError: Int32)?

  private var descriptor: Int32
  /// What `close` gives the file.
  private let attributes: FileAttributes?

  /// Writes to `path`, emptied if it exists. Outputs of a run belong into an `OutputSet`.
  public convenience init(path: String) throws(WorkpoolError) {
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_REPLACE))
    if descriptor < 0 {
      throw WorkpoolError(.ioFailed, "cannot create", path: path, systemError: -descriptor)
    }
    self.init(owning: descriptor, name: path, syncs: false)
  }

  /// Writes to a duplicate of `descriptor`, called `name` in messages.
  public convenience init(descriptor: Int32, name: String) throws(WorkpoolError) {
    let own = wpl_file_duplicate(descriptor)
    if own < 0 { throw WorkpoolError(.ioFailed, "cannot write", path: name, systemError: -own) }
    self.init(owning: own, name: name, syncs: false)
  }

  init(
    owning descriptor: Int32, name: String, syncs: Bool, attributes: FileAttributes? = nil
  ) {
    self.descriptor = descriptor
    self.name = name
    self.syncs = syncs
    self.attributes = attributes
  }

  deinit { abandon() }

  public var isClosed: Bool { descriptor < 0 }

  /// Errors: `ioFailed` with errno (disk full, closed pipe, …) and the bytes that went before;
  /// `closed` after `close`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(WorkpoolError) {
    if isClosed { throw WorkpoolError(.closed, "is closed", path: name) }
    if let failure, bytesWritten + UInt64(bytes.count) > failure.afterBytes {
      throw failed("cannot write", -failure.systemError)
    }
    var rest = bytes
    while !rest.isEmpty {
      let count = wpl_file_write(descriptor, rest.baseAddress!, rest.count)
      if count < 0 { throw failed("cannot write", Int32(count)) }
      bytesWritten += UInt64(count)
      rest = rest.part(Int(count)..<rest.count)
    }
    watch?(bytes)
  }

  /// Ends the output; a failure here is a failure of the output. A second call does nothing.
  public func close() throws(WorkpoolError) {
    if isClosed { return }
    attributes?.apply(to: descriptor)
    let synced = syncs ? wpl_file_sync(descriptor) : 0
    let closed = wpl_file_close(descriptor)
    descriptor = -1
    if synced < 0 { throw failed("cannot sync", synced) }
    if closed < 0 { throw failed("cannot close", closed) }
  }

  /// Closes what nobody wants any more.
  func abandon() {
    if descriptor >= 0 { _ = wpl_file_close(descriptor) }  // its content is given up anyway
    descriptor = -1
  }

  private func failed(_ message: String, _ result: Int32) -> WorkpoolError {
    WorkpoolError(
      .ioFailed, "\(message) after \(bytesWritten) bytes", path: name, systemError: -result)
  }
}
