// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Synchronization
import Workpool

/// A batch with its last results, as C sees them.
final class Batch: @unchecked Sendable {
  let run: BatchRun
  let command: [String]
  private let onResult: wp_batch_result_fn?
  private let context: UnsafeMutableRawPointer?
  let forkGeneration = wpl_fork_generation()
  let isRunning = Atomic<Bool>(false)
  private(set) var results: [BatchResult] = []
  /// NUL-ended, three for each result: phase, error, data.
  private(set) var texts: [UnsafeMutablePointer<CChar>] = []

  init(_ run: BatchRun, _ command: [String], _ options: wp_batch_options) {
    self.run = run
    self.command = command
    onResult = options.on_result
    context = options.context
  }

  /// - Returns: false while another run is under way.
  func begin() -> Bool {
    guard !isRunning.exchange(true, ordering: .acquiring) else { return false }
    forgetTexts()
    return true
  }

  /// The run that began has these results.
  func end(_ results: [BatchResult]) {
    self.results = results
    keepTexts()
    isRunning.store(false, ordering: .releasing)
  }

  func tell(_ index: Int, _ result: BatchResult) {
    guard let onResult else { return }
    let texts = [
      Batch.copy(Array(result.phase.utf8)), Batch.copy(Array(result.error.utf8)),
      Batch.copy(result.data),
    ]
    var told = wp_batch_result()
    told.struct_size = UInt32(MemoryLayout<wp_batch_result>.size)
    texts.withUnsafeBufferPointer { Batch.fill(&told, result, $0.baseAddress!) }
    onResult(context, index, &told)
    for text in texts { text.deallocate() }
  }

  deinit { forgetTexts() }

  private func forgetTexts() {
    for text in texts { text.deallocate() }
    texts = []
  }

  private func keepTexts() {
    texts.reserveCapacity(3 * results.count)
    for result in results {
      texts.append(Self.copy(Array(result.phase.utf8)))
      texts.append(Self.copy(Array(result.error.utf8)))
      texts.append(Self.copy(result.data))
    }
  }

  static func copy(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
    let room = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
    for index in 0..<bytes.count { room[index] = CChar(bitPattern: bytes[index]) }
    room[bytes.count] = 0
    return room
  }

  static func fill(
    _ out: UnsafeMutablePointer<wp_batch_result>, _ result: BatchResult,
    _ texts: UnsafePointer<UnsafeMutablePointer<CChar>>
  ) {
    out.pointee.state = Int32(result.state.rawValue)
    out.pointee.reason = Int32(result.reason.rawValue)
    out.pointee.detail = result.detail
    out.pointee.attempts = UInt32(result.attempts)
    out.pointee.crashes = UInt32(result.crashes)
    out.pointee.process = result.process
    out.pointee.from_cache = result.isFromCache ? 1 : 0
    out.pointee.time_ns = result.end > 0 ? max(0, result.end - result.start) : 0
    out.pointee.phase = UnsafePointer(texts[0])
    out.pointee.error = UnsafePointer(texts[1])
    out.pointee.data = UnsafePointer(texts[2])
    out.pointee.data_size = result.data.count
  }
}

func checkedBatch(_ handle: OpaquePointer?) throws(WorkpoolError) -> Batch {
  let batch: Batch = try required(handle, "batch").object()
  try checkFork(batch.forkGeneration)
  return batch
}

@c @implementation public func wp_batch_create(
  _ argv: UnsafePointer<UnsafePointer<CChar>?>!, _ argc: UInt32,
  _ options: UnsafePointer<wp_batch_options>!, _ out_batch: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_batch else { throw invalid("out_batch is NULL") }
    let given = try read(options, wp_batch_options())
    var command = ChildCommand(try words(argv, argc, "argv"))
    if given.env != nil { command.environment = try words(given.env, given.env_count, "env") }
    command.folder = given.cwd.map { String(cString: $0) }
    command.output = given.log_path.map { .file(String(cString: $0)) } ?? .descriptor(2)
    command.errors = given.log_path == nil ? .descriptor(2) : .sameAsOutput
    let token = try checkedToken(given.token)
    let run = try BatchRun(command, BatchOptions(given), token: token)
    out_batch.pointee = Handle.make(Batch(run, command.arguments, given))
    return .ok
  }
}

@c @implementation public func wp_batch_destroy(_ batch: OpaquePointer!) -> Int32 {
  guard let batch else { return WP_OK }
  return border { () throws(WorkpoolError) in
    guard try !checkedBatch(batch).isRunning.load(ordering: .acquiring) else {
      throw WorkpoolError(.busy, "the batch is running")
    }
    Handle.destroy(batch, Batch.self)
    return .ok
  }
}

@c @implementation public func wp_batch_run(
  _ batch: OpaquePointer!, _ items: UnsafePointer<wp_batch_item>!, _ count: Int
) -> Int32 {
  border { () throws(WorkpoolError) in
    let batch = try checkedBatch(batch)
    let all = try itemTexts(items, count)
    guard batch.begin() else { throw WorkpoolError(.busy, "the batch is running") }
    let (results, failure) = batch.run.run(count, json: { all[$0][...] }) { event in
      if case .itemFinished(let index, let result) = event { batch.tell(index, result) }
    }
    batch.end(results)
    if !failure.isEmpty { throw WorkpoolError(.ioFailed, failure) }
    for result in results where result.reason == .user {
      throw WorkpoolError(.cancelled, "the batch was cancelled")
    }
    return .ok
  }
}

/// Copies of items, each of which is JSON.
func itemTexts(
  _ items: UnsafePointer<wp_batch_item>?, _ count: Int
) throws(WorkpoolError) -> [[UInt8]] {
  if count == 0 { return [] }
  guard let items, count > 0 else { throw invalid("items is NULL") }
  var texts: [[UInt8]] = []
  texts.reserveCapacity(count)
  for index in 0..<count {
    let item = items[index]
    guard let json = item.json, item.size > 0, item.size <= BatchRun.mostItemBytes else {
      throw invalid("item \(index) is NULL, empty or larger than 15 MiB")
    }
    let bytes = Array(UnsafeRawBufferPointer(start: json, count: item.size))
    do throws(JSONParser.Fault) {
      _ = try JSONParser.parse(bytes)
    } catch {
      throw invalid("item \(index), byte \(error.offset + 1): \(error.message)")
    }
    texts.append(bytes)
  }
  return texts
}

@c @implementation public func wp_batch_result_at(
  _ batch: OpaquePointer!, _ index: Int, _ out_result: UnsafeMutablePointer<wp_batch_result>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let batch = try checkedBatch(batch)
    let out = try checkSize(out_result)
    guard !batch.isRunning.load(ordering: .acquiring) else {
      throw WorkpoolError(.busy, "the batch is running")
    }
    guard index >= 0, index < batch.results.count else { return .end }
    batch.texts.withUnsafeBufferPointer {
      Batch.fill(out, batch.results[index], $0.baseAddress! + 3 * index)
    }
    return .ok
  }
}

@c @implementation public func wp_batch_cancel(_ batch: OpaquePointer!, _ kills: UInt32) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedBatch(batch).run.cancel(kills: kills != 0)
    return .ok
  }
}

private func words(
  _ pointers: UnsafePointer<UnsafePointer<CChar>?>?, _ count: UInt32, _ what: StaticString
) throws(WorkpoolError) -> [String] {
  guard let pointers else {
    guard count == 0 else { throw invalid("\(what) is NULL") }
    return []
  }
  var words: [String] = []
  for index in 0..<Int(count) {
    guard let word = pointers[index] else { throw invalid("\(what)[\(index)] is NULL") }
    words.append(String(cString: word))
  }
  return words
}

extension BatchOptions {
  fileprivate init(_ given: wp_batch_options) {
    self.init()
    workers = Int(given.workers)
    if given.batch_size > 0 { batchSize = Int(given.batch_size) }
    if given.max_crashes != 0 { maxCrashes = Int(max(0, given.max_crashes)) }
    retry.maxRetries = Int(given.max_retries)
    retry.delay = max(0, given.retry_delay_ns)
    maxItemsPerWorker = Int(given.max_items_per_worker)
    maxWorkerMemory = Int64(clamping: given.max_worker_memory)
    func limit(_ value: Int64, _ standard: Int64) -> Int64 {
      value == 0 ? standard : max(0, value)
    }
    startTimeout = limit(given.start_timeout_ns, startTimeout)
    itemTimeout = limit(given.item_timeout_ns, itemTimeout)
    batchTimeout = limit(given.batch_timeout_ns, batchTimeout)
    heartbeatTimeout = limit(given.heartbeat_timeout_ns, heartbeatTimeout)
  }
}
