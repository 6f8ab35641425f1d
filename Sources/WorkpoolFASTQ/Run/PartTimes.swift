// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// What one part of a run took, such as a step or packing, summed over all workers.
///
/// Threads: any.
final class PartTimes: Sendable {
  let name: String
  /// Of a step of the configuration.
  let number: Int?
  private let calls = Atomic<UInt64>(0)
  private let reads = Atomic<UInt64>(0)
  private let bytes = Atomic<UInt64>(0)
  private let wall = Atomic<UInt64>(0)
  private let cpu = Atomic<UInt64>(0)

  init(_ name: String, number: Int? = nil) {
    self.name = name
    self.number = number
  }

  /// Adds what `body` takes.
  ///
  /// - Parameter size: reads and bytes that went in.
  func measure<Result>(
    _ size: (reads: Int, bytes: Int), _ body: () throws(WorkpoolError) -> Result
  ) throws(WorkpoolError) -> Result {
    let (began, used) = (Clock.now, wpl_thread_cpu_time())
    let result = try body()
    wall.wrappingAdd(UInt64(clamping: Clock.now - began), ordering: .relaxed)
    cpu.wrappingAdd(UInt64(clamping: wpl_thread_cpu_time() - used), ordering: .relaxed)
    calls.wrappingAdd(1, ordering: .relaxed)
    reads.wrappingAdd(UInt64(size.reads), ordering: .relaxed)
    bytes.wrappingAdd(UInt64(size.bytes), ordering: .relaxed)
    return result
  }

  /// What is known only after the call.
  func add(reads more: Int, bytes moreBytes: Int) {
    reads.wrappingAdd(UInt64(more), ordering: .relaxed)
    bytes.wrappingAdd(UInt64(moreBytes), ordering: .relaxed)
  }

  var total: PartTime {
    PartTime(
      name: name, number: number, calls: calls.load(ordering: .relaxed),
      reads: reads.load(ordering: .relaxed), bytes: bytes.load(ordering: .relaxed),
      wallNanoseconds: wall.load(ordering: .relaxed), cpuNanoseconds: cpu.load(ordering: .relaxed))
  }
}

/// What one part of a run took.
public struct PartTime: Sendable {
  public var name: String
  /// Of a step of the configuration.
  public var number: Int?
  public var calls: UInt64 = 0
  /// Reads and bytes of text that went in, where they are known; of steps, bases.
  public var reads: UInt64 = 0
  public var bytes: UInt64 = 0
  public var wallNanoseconds: UInt64 = 0
  public var cpuNanoseconds: UInt64 = 0
}

/// The times of all parts of a run, in the order in which a block passes them.
final class PartsOfRun: Sendable {
  let read = PartTimes("read")
  let parse = PartTimes("parse")
  let steps: [PartTimes]
  let encode = PartTimes("encode")
  let command = PartTimes("command")
  let gather = PartTimes("gather")
  let pack = PartTimes("pack")
  let write = PartTimes("write")

  init(_ recipe: Recipe?) {
    steps = (recipe?.steps ?? []).map { PartTimes($0.name, number: $0.number) }
  }

  /// Of the parts that did something.
  var totals: [PartTime] {
    ([read, parse] + steps + [encode, command, gather, pack, write])
      .map { $0.total }.filter { $0.calls > 0 }
  }
}

/// The file of `report_timing`: where the time of a run went.
struct TimingFile {
  let parts: [PartTime]
  let wallNanoseconds: UInt64
  let workers: [WorkerStatistics]

  /// Parts are summed over all workers. What workers did besides, unpacking ahead of the run, is a part of
  /// its own, known by its time alone; so all parts, the engine, and what workers waited and slept are
  /// together their number times the time of the run.
  var text: String {
    let busy = workers.reduce(0) { $0 + $1.busyNanoseconds }
    let measured = parts.reduce(0) { $0 + $1.wallNanoseconds }
    let ahead = busy > measured ? busy - measured : 0
    let total = Double(max(measured + ahead, 1))
    var json = JSONText()
    json.beginObject()
    json.seconds("wall_seconds", wallNanoseconds)
    json.seconds("cpu_seconds", UInt64(clamping: wpl_process_cpu_time()))
    json.key("workers")
    json.number(workers.count)
    json.key("bottleneck")
    if let slowest = parts.max(by: { $0.wallNanoseconds < $1.wallNanoseconds }) {
      json.value(slowest.name)
    } else {
      json.raw("null")
    }
    json.key("parts")
    json.beginArray()
    for part in parts { put(part, of: total, &json) }
    if ahead > 0 {
      json.beginObject()
      json.key("name")
      json.value("unpack ahead")
      json.seconds("wall_seconds", ahead)
      json.key("share")
      json.number(Double(ahead) / total)
      json.endObject()
    }
    json.endArray()
    json.key("worker_seconds")
    json.beginObject()
    json.seconds("busy", busy)
    json.seconds("blocked", workers.reduce(0) { $0 + $1.blockedNanoseconds })
    json.seconds("engine", workers.reduce(0) { $0 + $1.engineNanoseconds })
    json.seconds("idle", idle(besides: busy))
    json.endObject()
    json.endObject()
    return json.text + "\n"
  }

  /// What is left of the workers' time in this run: they also wait before it begins and after it has ended.
  private func idle(besides busy: UInt64) -> UInt64 {
    let used = workers.reduce(busy) { $0 + $1.blockedNanoseconds + $1.engineNanoseconds }
    let whole = UInt64(workers.count) * wallNanoseconds
    return whole > used ? whole - used : 0
  }

  private func put(_ part: PartTime, of total: Double, _ json: inout JSONText) {
    json.beginObject()
    json.key("name")
    json.value(part.name)
    if let number = part.number {
      json.key("step")
      json.number(number)
    }
    for (key, number) in [("calls", part.calls), ("reads", part.reads), ("bytes", part.bytes)] {
      json.key(key)
      json.number(Int(number))
    }
    json.seconds("wall_seconds", part.wallNanoseconds)
    json.seconds("cpu_seconds", part.cpuNanoseconds)
    json.key("share")
    json.number(Double(part.wallNanoseconds) / total)
    json.key("bytes_per_second")
    json.number(Double(part.bytes) / Double(max(part.wallNanoseconds, 1)) * 1e9)
    json.endObject()
  }
}

extension JSONText {
  fileprivate mutating func seconds(_ name: String, _ nanoseconds: UInt64) {
    key(name)
    number(Double(nanoseconds) / 1e9)
  }
}
