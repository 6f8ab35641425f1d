// SPDX-License-Identifier: MIT
import CPlatform
import CZlib
import WorkpoolCore
import WorkpoolPipeline

/// Unpacks a stream on the workers of a pool, ahead of who reads it.
///
/// A pipeline of its own: the source takes the stream apart (`Unpacker`), packed runs are unpacked by any
/// worker, and the pieces come out in order. Who waits for one works along. Runs that fail, and what the
/// source finds, end the pieces in order: what comes before is complete.
///
/// In flight are at most `piecesAhead` pieces more than there are workers. Together they weigh, packed and
/// unpacked, less than `Unpacker.largestPart` for each worker and one more, and one piece.
///
/// Threads: one at a time. To be closed outside its own stages.
final class PooledUnpacker {
  /// See above; PROCESS: a file is read at most so many packed pieces ahead of those that are being worked
  /// on.
  static let piecesAhead = 4
  /// What is unpacked by the source at once.
  private static let pieceSize = 512 << 10
  /// How long a wait lasts without a look whether it is wanted.
  private static let waitSlice: Int64 = 50_000_000

  /// What a block of the pipeline holds.
  private enum Content: UInt64 { case decoded, unchecked, run }
  /// Beside `Content.unchecked`: the first bytes of a member that are left to be checked, and the last ones.
  private static let isFirst: UInt64 = 1 << 8
  private static let isLast: UInt64 = 1 << 9

  private let unpacker: Unpacker
  private let source: ByteSource
  private let pipeline: Pipeline
  /// One for each seat, made by its first run.
  private let decoders: UnsafeMutablePointer<PartDecoder?>
  private let seats: Int
  private let forkGeneration = wpl_fork_generation()
  private var current: PipelineResult?
  /// Of the member that is left to be checked.
  private var dataChecksum: uLong = 0
  private var fault: WorkpoolError?

  private let monitor: Monitor
  // Under the lock.
  private var isCancelled: (() -> Bool)?
  private var damage: (number: UInt64, error: WorkpoolError, place: StreamPlace)?
  // Of the source.
  private var failure: WorkpoolError?

  init(_ unpacker: Unpacker, _ source: ByteSource, on pool: Pool) throws(WorkpoolError) {
    unpacker.leavesChecks = true
    self.unpacker = unpacker
    self.source = source
    seats = pool.seatCount
    monitor = try Monitor()
    var options = Pipeline.Options()
    options.maxBlocksInFlight = pool.seatCount + Self.piecesAhead
    options.windowCapacity = 1
    while options.windowCapacity < options.maxBlocksInFlight { options.windowCapacity *= 2 }
    options.maxBytesInFlight = (pool.seatCount + 1) * Unpacker.largestPart
    options.pullsResults = true
    do throws(WorkpoolError) {
      pipeline = try Pipeline(on: pool, options)
    } catch {
      monitor.destroy()  // `deinit` does not run before all is set
      throw error
    }
    decoders = UnsafeMutablePointer<PartDecoder?>.allocate(capacity: seats)
    decoders.initialize(repeating: nil, count: seats)
    do throws(WorkpoolError) {
      try pipeline.setSource("unpack") { [unowned(unsafe) self] block, context in
        takeApart(block, context)
      }
      try pipeline.addStage("unpack", .parallel) { [unowned(unsafe) self] block, context in
        unpack(block, context)
      }
      try pipeline.start()
    } catch {
      close()
      throw error
    }
  }

  deinit {
    decoders.deinitialize(count: seats)
    decoders.deallocate()
    monitor.destroy()
  }

  /// Ends the work on the pool and waits until no worker is in here any more: before the last reference goes,
  /// or a worker might hold it. A child process leaves it to its parent.
  func close() {
    guard wpl_fork_generation() == forkGeneration else { return }
    current?.release()
    current = nil
    cancel()
    // It waits for nobody and no result is held: nothing speaks against it.
    try? pipeline.destroy()
    source.isCancelled = nil
  }

  /// Ends the work on the pool; returns at once. Threads: any.
  func cancel() { try? pipeline.cancel() }  // not started: then there is nothing to end

  /// Asked while somebody waits for a pipe or FIFO, on any thread, under a lock.
  func setCancelled(_ isCancelled: (() -> Bool)?) {
    monitor.lock()
    self.isCancelled = isCancelled
    monitor.unlock()
  }

  private var isUnwanted: Bool {
    monitor.lock()
    defer { monitor.unlock() }
    return isCancelled?() ?? false
  }

  /// The next decoded bytes, valid until the next call; nil at the end.
  ///
  /// After an error `place` says where it is.
  func next(place: inout StreamPlace) throws(WorkpoolError) -> UnsafeRawBufferPointer? {
    current?.release()
    current = nil
    while true {
      if let fault { throw fault }
      let (status, result) = try pipeline.nextResult(timeout: Self.waitSlice)
      if let result {
        place = StreamPlace(result.block.pointee)
        check(result.block, place)
        if result.block.pointee.size > 0 {
          current = result
          return UnsafeRawBufferPointer(result.block.bytes)
        }
        result.release()
        continue
      }
      switch status {
      case .timedOut where isUnwanted:
        cancel()
        throw WorkpoolError(.cancelled, "cancelled", path: source.name)
      case .timedOut: continue
      case .end, .stopped: break
      default: throw WorkpoolError(status, "cannot unpack", path: source.name)
      }
      if let damage {
        place = damage.place
        throw damage.error
      }
      place = unpacker.place
      if let failure { throw failure }
      return nil
    }
  }

  /// Checksums of long members are taken here: who inflates has enough to do.
  private func check(_ block: UnsafeMutablePointer<Block>, _ place: StreamPlace) {
    let meta = block.pointee.meta
    guard Content(rawValue: meta.0 & 0xff) == .unchecked else { return }
    if meta.0 & Self.isFirst != 0 { dataChecksum = uLong(meta.0 >> 32) }
    dataChecksum = checksum(dataChecksum, UnsafeRawBufferPointer(block.bytes))
    if meta.0 & Self.isLast != 0 && dataChecksum != uLong(meta.3 >> 32) {
      fault = unpacker.fault(
        .corruptInput, GzipUnpacker.wrongChecksum, part: place.parts, of: "member",
        at: place.packedBytes)
    }
  }

  /// Makes what `next` gave the payload of `block`, without a copy.
  /// - Returns: false where that cannot be; nothing is changed then.
  func handOver(to block: UnsafeMutablePointer<Block>) -> Bool {
    guard let current else { return false }
    return block.takePayload(of: current)
  }

  // MARK: Stages

  private func takeApart(
    _ block: UnsafeMutablePointer<Block>, _ context: StageContext
  ) -> StageAnswer {
    source.isCancelled = { [unowned(unsafe) self] in !context.isWanted || isUnwanted }
    do throws(WorkpoolError) {
      let room = try block.ownBytes(Self.pieceSize)
      switch try unpacker.next(into: room, runSize: Unpacker.runSize) {
      case .end: return .endOfInput
      case .decoded(let size):
        block.pointee.size = size
        block.pointee.meta.0 = Content.decoded.rawValue
        unpacker.place.store(in: &block.pointee)
        if let unchecked = unpacker.unchecked { Self.store(unchecked, in: &block.pointee) }
      case .packed(let run):
        try block.ownBytes(run.bytes.count).copyMemory(from: run.bytes)
        block.pointee.size = run.bytes.count
        block.pointee.weight = UInt64(run.bytes.count + run.decodedSize)
        block.pointee.meta.0 = Content.run.rawValue | UInt64(run.decodedSize) << 8
        unpacker.place.store(in: &block.pointee)
        block.pointee.meta.1 = run.firstPart
        block.pointee.meta.2 = run.offset
      }
      return .goOn
    } catch {
      failure = error
      return .endOfInput
    }
  }

  private static func store(_ unchecked: Unchecked, in block: inout Block) {
    block.meta.0 = Content.unchecked.rawValue | UInt64(unchecked.before ?? 0) << 32
    if unchecked.before != nil { block.meta.0 |= isFirst }
    if let wanted = unchecked.wanted {
      block.meta.0 |= isLast
      block.meta.2 = wanted.offset
      block.meta.3 |= UInt64(wanted.checksum) << 32
    }
  }

  private func unpack(
    _ block: UnsafeMutablePointer<Block>, _ context: StageContext
  ) -> StageAnswer {
    guard block.pointee.meta.0 & 0xff == Content.run.rawValue else { return .goOn }
    let run = PackedRun(
      compression: StreamPlace(block.pointee).compression == .zstd ? .zstd : .bgzf,
      firstPart: block.pointee.meta.1, offset: block.pointee.meta.2,
      decodedSize: Int(block.pointee.meta.0 >> 8), bytes: UnsafeRawBufferPointer(block.bytes))
    var place = StreamPlace(block.pointee)
    var count = 0
    var answer = StageAnswer.goOn
    do throws(WorkpoolError) {
      let decoder: PartDecoder
      if let known = decoders[context.worker] {
        decoder = known
      } else {
        decoder = try unpacker.makeDecoder()
        decoders[context.worker] = decoder
      }
      guard let memory = block.spare(run.decodedSize) else {
        throw WorkpoolError(.noMemory, "no memory to unpack", path: source.name)
      }
      try decoder.decode(
        run, into: UnsafeMutableRawBufferPointer(start: memory, count: run.decodedSize),
        count: &count, place: &place)
    } catch {
      answer = .stop
      monitor.lock()
      if damage == nil || damage!.number > block.pointee.number {
        damage = (block.pointee.number, error, place)
      }
      monitor.unlock()
    }
    if !block.commitSpare(size: count) { block.pointee.size = 0 }  // there is no spare
    place.store(in: &block.pointee)
    return answer
  }
}

extension StreamPlace {
  /// From the block of a `PooledUnpacker`.
  fileprivate init(_ block: Block) {
    self.init(
      compression: block.meta.3 & 0xff == 3 ? .zstd : block.meta.3 & 0xff == 2 ? .bgzf : .gzip,
      parts: block.meta.1, packedBytes: block.meta.2)
  }

  fileprivate func store(in block: inout Block) {
    block.meta.1 = parts
    block.meta.2 = packedBytes
    block.meta.3 =
      switch compression {
      case .plain: 0
      case .gzip: 1
      case .bgzf: 2
      case .zstd: 3
      }
  }
}
