// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// What a callback may do with its block, beside changing data, size and meta in place.
extension UnsafeMutablePointer where Pointee == Block {
  // A block that a callback sees is the first field of its record.
  private var record: UnsafeMutablePointer<Record> {
    UnsafeMutableRawPointer(self).assumingMemoryBound(to: Record.self)
  }

  /// The payload.
  public var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: pointee.data, count: pointee.size)
  }

  /// Makes `capacity` bytes at `data`, keeping the payload.
  /// - Returns: false without memory; the block is then unchanged.
  public func reserve(_ capacity: Int) -> Bool {
    let run = record.pointee.run
    let size = pointee.size
    guard capacity >= 0 else { return false }
    let buffer = record.pointee.payload.buffer
    if buffer >= 0 {
      guard run.pointee.buffers.grow(buffer, to: capacity, keeping: size) else { return false }
      show(buffer, size: size)
      return true
    }
    guard let new = run.pointee.buffers.take(capacity: Swift.max(capacity, size)) else {
      return false
    }
    if size > 0, let from = pointee.data, let to = run.pointee.buffers.data(new) {
      to.update(from: from, count: size)
    }
    run.pointee.release(&record.pointee.payload, .replaced)
    record.pointee.payload.buffer = new
    show(new, size: size)
    return true
  }

  /// A second buffer, to write what shall replace the payload; the callback's until `commitSpare` or
  /// its end.
  /// - Returns: at least `capacity` bytes; nil without memory.
  public func spare(_ capacity: Int) -> UnsafeMutablePointer<UInt8>? {
    let run = record.pointee.run
    guard capacity >= 0 else { return nil }
    if record.pointee.spare != Payload.nowhere {
      guard run.pointee.buffers.grow(record.pointee.spare, to: capacity, keeping: 0) else {
        return nil
      }
    } else {
      guard let new = run.pointee.buffers.take(capacity: Swift.max(capacity, 1)) else { return nil }
      record.pointee.spare = new
      record.pointee.tidying = 1
    }
    return run.pointee.buffers.data(record.pointee.spare)
  }

  /// Makes the first `size` bytes of the spare buffer the payload.
  /// - Returns: false without a spare buffer of that size.
  public func commitSpare(size: Int) -> Bool {
    let run = record.pointee.run
    let spare = record.pointee.spare
    guard spare != Payload.nowhere, 0...run.pointee.buffers.capacity(spare) ~= size else {
      return false
    }
    run.pointee.release(&record.pointee.payload, .replaced)
    record.pointee.payload.buffer = spare
    record.pointee.spare = Payload.nowhere
    show(spare, size: size)
    return true
  }

  /// Takes the payload of a result of another run, and gives its own memory for it; no byte is moved. The
  /// result is empty then.
  /// - Returns: false where one of them is a caller's memory, or there is no memory; nothing is changed.
  package func takePayload(of result: PipelineResult) -> Bool {
    guard result.buffer >= 0, reserve(1), record.pointee.payload.buffer >= 0 else { return false }
    let size = result.block.pointee.size
    let buffers = result.buffers
    record.pointee.run.pointee.buffers.exchange(
      record.pointee.payload.buffer, with: buffers, result.buffer)
    result.block.pointee.setPayload(
      buffers.data(result.buffer), size: 0, capacity: buffers.capacity(result.buffer))
    show(record.pointee.payload.buffer, size: size)
    return true
  }

  /// Replaces the payload by memory of the caller's, which is given back by `release`.
  public func setData(
    _ data: UnsafeMutableRawPointer?, size: Int, release: ReleaseFunction?,
    context: UnsafeMutableRawPointer?
  ) {
    record.pointee.run.pointee.release(&record.pointee.payload, .replaced)
    record.pointee.payload.buffer = Payload.callerOwned
    record.pointee.payload.release = release
    record.pointee.payload.releaseContext = context
    record.pointee.payload.data = data
    record.pointee.payload.size = size
    pointee.setPayload(
      data?.assumingMemoryBound(to: UInt8.self), size: size, capacity: size)
  }

  /// Keeps the reason of a failure (255 bytes of it).
  /// - Returns: `code`, to be returned by the callback.
  public func fail(_ code: Int32, _ text: UnsafeRawBufferPointer) -> Int32 {
    record.pointee.run.pointee.fail(record, code, text)
  }

  /// As above, with an error's status and text.
  public func fail(_ error: WorkpoolError) -> Int32 {
    var text = error.text
    return text.withUTF8 { fail(error.status.rawValue, UnsafeRawBufferPointer($0)) }
  }

  package func isWanted(by stage: Int) -> Bool {
    let run = record.pointee.run
    return !run.pointee.isCut(pointee.number, stage - run.pointee.stageBase)
  }

  private func show(_ buffer: Int32, size: Int) {
    let buffers = record.pointee.run.pointee.buffers
    pointee.setPayload(buffers.data(buffer), size: size, capacity: buffers.capacity(buffer))
  }
}
