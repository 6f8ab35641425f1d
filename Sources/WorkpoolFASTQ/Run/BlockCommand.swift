// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// An external filter: `sh -c` with a block's bytes on its standard input; what it writes to its
/// standard output takes their place.
///
/// The child may read as much as it likes, write before it reads, and close its input early. It runs
/// in a process group of its own, which is ended (TERM, then KILL) when the run is cancelled.
public struct BlockCommand: Sendable {
  public var text: String
  /// Exit codes that are no error.
  public var acceptedExitCodes: [Int32] = [0]

  public init(_ text: String) { self.text = text }

  private static let slice: Int32 = 50
  private static let grace: Int64 = 500_000_000
  private static let keptErrorBytes = 4096
  private static let readSize = 256 << 10

  /// Which block it is, for messages and for the child's `WPOOL_BLOCK`.
  struct Place {
    /// From 0.
    var block: UInt64
    var recordsBefore: Int
  }

  func run(
    on bytes: UnsafeRawBufferPointer, into output: inout GrowableMemory<UInt8>, at number: Place,
    isCancelled: () -> Bool
  ) throws(WorkpoolError) {
    var child = wpl_child()
    let started = wpl_child_start(&child, text, "WPOOL_BLOCK=" + String(number.block))
    guard started == 0 else {
      throw WorkpoolError(
        .ioFailed, "cannot be started", place: place(number), systemError: -started)
    }
    output.count = 0
    var errors = [UInt8]()
    do throws(WorkpoolError) {
      try pump(&child, bytes, &output, &errors, number, isCancelled)
    } catch {
      end(&child)
      throw error
    }
    var status: Int32 = 0
    while wpl_child_reap(&child, 0, &status) == 1 {
      if isCancelled() {
        end(&child)
        throw WorkpoolError(.cancelled, "cancelled", place: place(number))
      }
      _ = wpl_child_poll(&child, 0, 5)
    }
    guard !acceptedExitCodes.contains(status) else { return }
    var message =
      status >= 256 ? "was ended by signal \(status - 256)" : "exited with status \(status)"
    if !errors.isEmpty {
      while let last = errors.last, last == 10 { errors.removeLast() }
      message += ": " + String(decoding: errors, as: UTF8.self)
    }
    throw WorkpoolError(.stageFailed, message, place: place(number))
  }

  private func place(_ number: Place) -> String {
    "command '" + text + "' on block " + String(number.block) + ", from record "
      + String(number.recordsBefore + 1)
  }

  private func pump(
    _ child: inout wpl_child, _ bytes: UnsafeRawBufferPointer,
    _ output: inout GrowableMemory<UInt8>, _ errors: inout [UInt8], _ number: Place,
    _ isCancelled: () -> Bool
  ) throws(WorkpoolError) {
    var written = 0
    if bytes.isEmpty { wpl_child_close(&child.input) }
    while child.output >= 0 || child.errors >= 0 || child.input >= 0 {
      if isCancelled() { throw WorkpoolError(.cancelled, "cancelled", place: place(number)) }
      let ready = wpl_child_poll(&child, child.input >= 0 ? 1 : 0, Self.slice)
      if ready < 0 { throw failed(-ready, number) }
      if ready & 1 != 0, let start = bytes.baseAddress {
        let count = wpl_channel_write(child.input, start + written, bytes.count - written)
        if count > 0 { written += Int(count) }
        // A filter that has read enough closes its input: not our business.
        if written == bytes.count || count == Int64(-EPIPE) {
          wpl_child_close(&child.input)
        } else if count < 0 && count != Int64(wpl_again) {
          throw failed(Int32(-count), number)
        }
      }
      if ready & 2 != 0 {
        try output.reserve(output.count + Self.readSize)
        let count = wpl_channel_read(
          child.output, output.start + output.count, output.capacity - output.count)
        if count > 0 { output.count += Int(count) }
        try closeAtEnd(&child.output, count, number)
      }
      if ready & 4 != 0 {
        let count = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { room in
          let count = wpl_channel_read(child.errors, room.baseAddress, room.count)
          if count > 0 { errors += room.prefix(Int(count)) }
          return count
        }
        if errors.count > 2 * Self.keptErrorBytes {
          errors.removeFirst(errors.count - Self.keptErrorBytes)
        }
        try closeAtEnd(&child.errors, count, number)
      }
    }
    if errors.count > Self.keptErrorBytes {
      errors.removeFirst(errors.count - Self.keptErrorBytes)
    }
  }

  private func closeAtEnd(
    _ descriptor: inout Int32, _ count: Int64, _ number: Place
  ) throws(WorkpoolError) {
    if count == 0 {
      wpl_child_close(&descriptor)
    } else if count < 0 && count != Int64(wpl_again) {
      throw failed(Int32(-count), number)
    }
  }

  private func failed(_ code: Int32, _ number: Place) -> WorkpoolError {
    WorkpoolError(.ioFailed, "cannot talk to it", place: place(number), systemError: code)
  }

  /// Ends the child's group: TERM, KILL after a while, and reaps it.
  private func end(_ child: inout wpl_child) {
    wpl_child_close(&child.input)
    wpl_child_close(&child.output)
    wpl_child_close(&child.errors)
    wpl_child_signal(&child, 0)
    let deadline = Clock.now + Self.grace
    var status: Int32 = 0
    while wpl_child_reap(&child, 0, &status) == 1 {
      if Clock.now > deadline {
        wpl_child_signal(&child, 1)
        _ = wpl_child_reap(&child, 1, &status)
        return
      }
      wpl_sleep(2_000_000)
    }
    wpl_child_signal(&child, 1)  // what the shell left behind
  }
}
