// SPDX-License-Identifier: MIT
import Workpool

/// What a run did, for people.
enum RunSummary {
  /// The table of `--stats`.
  static func table(_ report: ProcessReport, hasReads: Bool) -> String {
    totals(report, hasReads) + steps(report, hasReads) + stages(report)
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

  private static func stages(_ report: ProcessReport) -> String {
    let busy = report.stages.reduce(UInt64(0)) { $0 + $1.busyNanoseconds }
    var table = TextTable(["stage", "kind", "calls", "busy", "share"])
    for stage in report.stages {
      table.add([
        stage.name, stage.kind.name, Figures.grouped(stage.calls),
        Figures.seconds(stage.busyNanoseconds),
        Figures.percent(Double(stage.busyNanoseconds), of: Double(busy)),
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
