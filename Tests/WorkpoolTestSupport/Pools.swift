// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolPipeline

/// One pool for each number of workers, for the life of the process.
public enum Pools {
  private static let pools = Locked<[Int: Pool]>([:])

  public static func of(_ workers: Int) -> Pool {
    pools.with { pools in
      if let pool = pools[workers] { return pool }
      var options = Pool.Options()
      options.workers = workers
      let pool = try! Pool(options)  // no test can do without
      pools[workers] = pool
      return pool
    }
  }

  /// The worker counts of the acceptance scenarios.
  public static let counts = [1, 2, 3, 8, 64]
}

extension Pipeline {
  /// Builds a pipeline; on a pool of `workers`, or as serial reference with 0.
  public convenience init(
    _ workers: Int, on pool: Pool? = nil, limit: Int = 16, source: Stage? = nil,
    _ stages: [Stage] = [], sink: Stage? = nil, _ configure: (inout Options) -> Void = { _ in }
  ) throws {
    var options = Options()
    options.maxBlocksInFlight = limit
    options.isSerialReference = workers == 0
    configure(&options)
    try self.init(on: workers == 0 ? nil : pool ?? Pools.of(workers), options)
    if let source { try setSource(source) }
    for stage in stages { try addStage(stage) }
    if let sink { try setSink(sink) }
  }

  /// Waits for the end; too long a one is a hang and ends the process with what is known.
  public func end(_ what: String = "") throws -> Status {
    var status = Status.timedOut
    var failure: WorkpoolError?
    let isInTime = TestScale.withPatience { _ in
      do throws(WorkpoolError) {
        status = try wait(timeout: 1_000_000_000)
      } catch {
        failure = error
      }
      return failure != nil || status != .timedOut
    }
    if let failure { throw failure }
    if !isInTime { fatalError("stuck: \(what)\n\(dump())\(figures)") }
    return status
  }

  /// start and end, or the serial reference's run.
  public func runToEnd(_ what: String = "") throws -> Status {
    if options.isSerialReference { return try run() }
    try start()
    return try end(what)
  }

  private var figures: String {
    var lines = [(try? statistics()).map { "\($0)" } ?? ""]
    for stage in 0..<stageCount {
      if let figures = try? statistics(ofStage: stage) { lines.append("\(figures)") }
    }
    return lines.joined(separator: "\n")
  }
}
