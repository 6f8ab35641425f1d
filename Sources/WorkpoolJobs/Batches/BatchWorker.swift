// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A worker process and the pipes to and from it. Nothing here waits.
final class BatchWorker {
  let child: ChildProcess
  private(set) var writing: Int32
  private(set) var reading: Int32
  private var unsent: [UInt8] = []
  private var sent = 0
  private var received: [UInt8] = []
  private var taken = 0

  init(_ command: ChildCommand) throws(WorkpoolError) {
    var ends: [Int32] = [-1, -1, -1, -1]
    let failed = ends.withUnsafeMutableBufferPointer { wpl_channel_create($0.baseAddress) }
    guard failed == 0 else {
      throw WorkpoolError(.ioFailed, "no pipes to a worker", systemError: -failed)
    }
    var command = command
    command.channel = (ends[0], ends[1])
    defer {
      _ = wpl_file_close(ends[0])
      _ = wpl_file_close(ends[1])
    }
    do throws(WorkpoolError) {
      child = try ChildProcess(command)
    } catch {
      _ = wpl_file_close(ends[2])
      _ = wpl_file_close(ends[3])
      throw error
    }
    writing = ends[2]
    reading = ends[3]
  }

  deinit {
    closeWriting()
    if reading >= 0 { _ = wpl_file_close(reading) }
  }

  var hasUnsent: Bool { writing >= 0 && sent < unsent.count }

  func send(_ frame: [UInt8]) {
    if writing < 0 { return }
    unsent.append(contentsOf: frame)
    write()
  }

  /// As much as goes without waiting.
  func write() {
    while hasUnsent {
      let count = unsent.withUnsafeBytes {
        wpl_channel_write(writing, $0.baseAddress! + sent, $0.count - sent)
      }
      if count == Int64(wpl_again) { return }
      // Nobody reads any more: that it is lost is seen by its own end.
      if count < 0 { return closeWriting() }
      sent += Int(count)
    }
    unsent.removeAll(keepingCapacity: true)
    sent = 0
  }

  private func closeWriting() {
    if writing >= 0 { _ = wpl_file_close(writing) }
    writing = -1
  }

  enum Reading { case more, end }

  /// Reads what is there, at most once 64 KiB.
  /// - Returns: nil if there is nothing for now.
  func read() -> Reading? {
    guard reading >= 0 else { return nil }
    let count = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { room in
      let count = wpl_channel_read(reading, room.baseAddress, room.count)
      if count > 0 { received.append(contentsOf: room[..<Int(count)]) }
      return count
    }
    if count == Int64(wpl_again) { return nil }
    if count > 0 { return .more }
    _ = wpl_file_close(reading)
    reading = -1
    return .end
  }

  enum Frame {
    case message(WorkerMessages.Message)
    case broken
  }

  /// The next whole message; nil: there is none yet.
  func next() -> Frame? {
    guard received.count - taken >= 4 else { return nil }
    var size = 0
    for index in 0..<4 { size |= Int(received[taken + index]) << (8 * index) }
    guard size <= WorkerMessages.mostBytes else { return .broken }
    let start = taken + 4
    guard received.count - start >= size else { return nil }
    let message = WorkerMessages.read(received, in: start..<start + size)
    taken = start + size
    if taken == received.count {
      received.removeAll(keepingCapacity: true)
      taken = 0
    } else if taken > 1 << 20 {
      received.removeSubrange(..<taken)
      taken = 0
    }
    return message.map { .message($0) } ?? .broken
  }
}
