// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Workpool

/// The same work with several numbers of workers, and by other programs.
struct Bench {
  private struct Row {
    let workers: Int
    /// nil: this program.
    let peer: Peer?
    var measurement = Measurement()
  }

  private let command: ProcessCommand
  private var rows: [Row] = []
  /// The same each time.
  private var reads: UInt64 = 0
  private var bytes: UInt64 = 0
  private var hasReads = false
  /// The last run with the most workers.
  private var report: ProcessReport?
  private var missing: [String] = []

  init(_ command: ProcessCommand) { self.command = command }

  mutating func run(workers: [Int], rounds: Int) throws {
    let job = try command.job()
    hasReads = job.hasReads
    for endpoint in job.plan.inputs.joined() where !Self.isFile(endpoint) {
      throw Failure.usage("\(endpoint.name): is read again and again, and has to be a file")
    }
    let peers = Peer.known(for: job, command.work)
    missing = peers.filter { !$0.isThere }.map { $0.name }
    for count in workers {
      rows.append(Row(workers: count, peer: nil))
      rows += peers.filter { $0.isThere }.map { Row(workers: count, peer: $0) }
    }
    _ = try processed(workers.max() ?? 1)
    for _ in 0..<rounds {
      for index in rows.indices {
        try measure(index, isLargest: rows[index].workers == workers.max())
      }
    }
  }

  /// What is not there is told by the run.
  private static func isFile(_ endpoint: Endpoint) -> Bool {
    guard case .path(let path) = endpoint else { return false }
    var info = wpl_file_info()
    return wpl_file_info_at(path, 1, &info) != 0 || info.kind == Int32(WPL_KIND_REGULAR)
  }

  private mutating func measure(_ index: Int, isLargest: Bool) throws {
    let row = rows[index]
    var measurement = row.measurement
    if let peer = row.peer {
      let code = try measurement.measure { () throws(Failure) in
        try peer.run(workers: row.workers)
      }
      guard code == 0 else {
        throw Failure(exitCode: .run, messages: ["\(peer.name) ended with code \(code)"])
      }
    } else {
      let report = try measurement.measure { try processed(row.workers) }
      reads = report.readsIn
      bytes = report.inputs.reduce(0) { $0 + $1.info.decodedBytes }
      if isLargest { self.report = report }
    }
    rows[index].measurement = measurement
  }

  private func processed(_ workers: Int) throws -> ProcessReport {
    var plan = try command.job().plan
    plan.discardOutputs()
    do throws(WorkpoolError) {
      var options = Pool.Options()
      options.workers = workers
      let pool = try Pool(options)
      let run = try ProcessRun(plan, on: pool)
      try run.start()
      while !(try run.wait()) {}
      let report = run.finish { _ in }
      try pool.close()
      if let error = report.error { throw error }
      return report
    } catch {
      throw Failure(exitCode: ExitCode(error), messages: [error.text])
    }
  }

  // MARK: What is told

  /// Speed of a row by its workers, beside the first row of the same program.
  private func efficiency(_ row: Row) -> Double {
    let first = rows.first { $0.peer?.name == row.peer?.name }!
    return first.measurement.wall * Double(first.workers)
      / (row.measurement.wall * Double(row.workers))
  }

  private func name(_ row: Row) -> String { row.peer?.name ?? "wpool" }

  var text: String {
    var table = TextTable([
      "", "workers", hasReads ? "reads/s" : "records/s", "MB/s", "time", "spread", "CPU",
      "efficiency",
    ])
    for row in rows {
      let wall = row.measurement.wall
      table.add([
        name(row), String(row.workers), Figures.grouped(UInt64(Double(reads) / wall)),
        Figures.fixed(Double(bytes) / 1e6 / wall, 0), Figures.fixed(wall, 3) + " s",
        Figures.percent(row.measurement.spread, of: 1),
        Figures.fixed(row.measurement.cpu, 3) + " s", Figures.fixed(efficiency(row), 2),
      ])
    }
    let unit = hasReads ? "reads" : "records"
    let what = "\(Figures.grouped(reads)) \(unit), \(Figures.bytes(bytes)) of text\n\n"
    let others = missing.map { "\($0) does the same work and is not there\n" }.joined()
    return what + table.text + (report.map { RunSummary.stages($0) } ?? "") + others
  }

  var json: JSON {
    .object([
      (hasReads ? "reads" : "records", JSON(reads)), ("bytes", JSON(bytes)),
      (
        "rows",
        .array(
          rows.map { row in
            .object([
              ("program", JSON(name(row))), ("workers", JSON(row.workers)),
              ("wall_seconds", .array(row.measurement.walls.map { .number($0) })),
              ("cpu_seconds", .array(row.measurement.cpus.map { .number($0) })),
              ("efficiency", .number(efficiency(row))),
            ])
          })
      ),
      ("stages", report.map { RunReport.stages($0) } ?? .array([])),
      ("missing_peers", .array(missing.map { JSON($0) })),
    ])
  }
}
