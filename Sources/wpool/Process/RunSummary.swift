// SPDX-License-Identifier: MIT
import Workpool

/// What a run did, for people.
enum RunSummary {
  /// The table of `--stats`.
  static func table(_ report: ProcessReport, hasReads: Bool) -> String {
    totals(report, hasReads) + steps(report, hasReads) + stages(report) + workers(report)
  }

  /// The line that a benchmark prints.
  static func benchmark(_ report: ProcessReport) -> String {
    let seconds = Double(report.wallNanoseconds) / 1e9
    let rate = seconds > 0 ? Figures.grouped(UInt64(Double(report.readsIn) / seconds)) : "–"
    return
      "benchmark: \(Figures.grouped(report.readsIn)) reads in \(Figures.fixed(seconds, 3)) s, \(rate) a second\n"
  }

  private static func totals(_ report: ProcessReport, _ hasReads: Bool) -> String {
    let text = report.inputs.reduce(UInt64(0)) { $0 + $1.info.decodedBytes }
    let seconds = Double(report.wallNanoseconds) / 1e9
    var table = TextTable(["", "in", "kept", "share"])
    table.add([
      hasReads ? "reads" : "records", Figures.grouped(report.readsIn),
      Figures.grouped(report.readsOut),
      Figures.percent(Double(report.readsOut), of: Double(report.readsIn)),
    ])
    if hasReads {
      table.add([
        "bases", Figures.grouped(report.basesIn), Figures.grouped(report.basesOut),
        Figures.percent(Double(report.basesOut), of: Double(report.basesIn)),
      ])
    }
    let rate = seconds > 0 ? Figures.fixed(Double(text) / 1e6 / seconds, 1) : "–"
    return table.text
      + "\(Figures.bytes(text)) of text in \(Figures.fixed(seconds, 3)) s: \(rate) MB/s\n"
  }

  private static func steps(_ report: ProcessReport, _ hasReads: Bool) -> String {
    guard !report.steps.isEmpty else { return "" }
    var table = TextTable(
      hasReads
        ? ["step", "reads in", "reads out", "bases in", "bases out"]
        : ["step", "records in", "records out"])
    for step in report.steps {
      let number = step.number.map { "\($0) " } ?? ""
      var row = [
        number + step.name, Figures.grouped(step.counters.readsIn),
        Figures.grouped(step.counters.readsOut),
      ]
      if hasReads {
        row += [
          Figures.grouped(step.counters.basesIn), Figures.grouped(step.counters.basesOut),
        ]
      }
      table.add(row)
    }
    return "\n" + table.text
  }

  /// Widest table.
  private static let columns = 100

  /// Where the time of each stage went.
  static func stages(_ report: ProcessReport) -> String {
    let busy = report.stages.reduce(UInt64(0)) { $0 + $1.busyNanoseconds }
    let hasBytes = report.stages.contains { $0.bytesIn + $0.bytesOut > 0 }
    var heads = ["stage", "calls", "blocks", "MB", "busy", "CPU", "waited", "p50", "p99"]
    heads += ["depth", "share"]
    if !hasBytes { heads.remove(at: 3) }
    var rows: [[String]] = []
    for (index, stage) in report.stages.enumerated() {
      var row = [
        "", Figures.count(stage.calls), Figures.count(stage.blocksIn),
        Figures.fixed(Double(stage.bytesIn) / 1e6, 1), Figures.duration(stage.busyNanoseconds),
        Figures.duration(stage.cpuNanoseconds),
        Figures.duration(stage.orderWaitNanoseconds + stage.placeWaitNanoseconds),
        Figures.duration(stage.p50Nanoseconds), Figures.duration(stage.p99Nanoseconds),
        Figures.count(stage.parkedMax),
        Figures.percent(Double(stage.busyNanoseconds), of: Double(busy))
          + (index == report.pipeline.bottleneckStage ? " *" : "  "),
      ]
      if !hasBytes { row.remove(at: 3) }
      rows.append(row)
    }
    let width = TextTable.width(of: [heads] + rows)
    var table = TextTable(heads)
    for (stage, var row) in zip(report.stages, rows) {
      row[0] = cut(stage.name, to: max(8, columns - width + heads[0].count))
      table.add(row)
    }
    return "\n" + table.text
      + "waited: blocks for their turn or a place, at most depth at once.  * the bottleneck\n"
  }

  private static func cut(_ name: String, to width: Int) -> String {
    name.count <= width ? name : name.prefix(width - 1) + "…"
  }

  private static func workers(_ report: ProcessReport) -> String {
    guard !report.workers.isEmpty else { return "" }
    var table = TextTable(["worker", "calls", "busy", "blocked", "engine", "idle", "time"])
    for (index, worker) in report.workers.enumerated() {
      let wall = Double(worker.wallNanoseconds)
      table.add([
        String(index), Figures.count(worker.calls),
        Figures.percent(Double(worker.busyNanoseconds), of: wall),
        Figures.percent(Double(worker.blockedNanoseconds), of: wall),
        Figures.percent(Double(worker.engineNanoseconds), of: wall),
        Figures.percent(Double(worker.idleNanoseconds), of: wall),
        Figures.duration(worker.wallNanoseconds),
      ])
    }
    return "\n" + table.text
  }

  /// What inputs and outputs turned out to be, a line for each.
  static func streams(_ report: ProcessReport) -> [String] {
    var lines: [String] = []
    for input in report.inputs {
      let info = input.info
      lines.append(
        "\(input.endpoint.name): \(info.compression.name), \(info.packedBytes) bytes, "
          + "\(info.decodedBytes) decoded")
    }
    for output in report.outputs {
      lines.append(
        "\(output.endpoint.name): \(output.bytes) bytes, \(output.packedBytes) written")
    }
    return lines
  }
}

extension StageKind {
  var name: String {
    switch self {
    case .parallel: "parallel"
    case .serial: "serial"
    case .serialAnyOrder: "any order"
    case .splitter: "splitter"
    }
  }
}
