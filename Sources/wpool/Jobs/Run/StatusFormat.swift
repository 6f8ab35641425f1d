// SPDX-License-Identifier: MIT
import ArgumentParser

/// How far a run has come.
struct RunCounts {
  var total = 0
  var ended = 0
  var started = 0
  var running = 0
  var failed = 0
  /// Attempts of jobs that ran, and their time.
  var completed = 0
  var execution: Int64 = 0
  var slots = 1

  /// Seconds until all have ended, if they take as long as those before; nil: nobody knows.
  var secondsLeft: Double? {
    guard completed > 0, ended < total else { return nil }
    let each = Double(execution) / 1e9 / Double(completed)
    return each * Double(total - ended) / Double(max(1, slots))
  }
}

/// `--status`: a text with fields such as `%f` of `%t`, named as ninja names them.
struct StatusFormat: ExpressibleByArgument {
  private enum Part {
    case text(String)
    case field(Character)
  }

  private static let fields: Set<Character> = Set("sturfFpoeEwW")
  private var parts: [Part] = []

  init?(argument: String) {
    var plain = ""
    var rest = argument[...]
    while let character = rest.popFirst() {
      guard character == "%" else {
        plain.append(character)
        continue
      }
      guard let name = rest.popFirst() else { return nil }
      if name == "%" {
        plain.append("%")
        continue
      }
      guard Self.fields.contains(name) else { return nil }
      parts += [.text(plain), .field(name)]
      plain = ""
    }
    parts.append(.text(plain))
  }

  /// - Parameter seconds: since the run began.
  func text(_ counts: RunCounts, _ seconds: Double) -> String {
    parts.map { part in
      switch part {
      case .text(let text): text
      case .field(let name): Self.value(name, counts, seconds)
      }
    }.joined()
  }

  private static func value(_ name: Character, _ counts: RunCounts, _ seconds: Double) -> String {
    switch name {
    case "s": String(counts.started)
    case "t": String(counts.total)
    case "u": String(max(0, counts.total - counts.ended - counts.running))
    case "r": String(counts.running)
    case "f": String(counts.ended)
    case "F": String(counts.failed)
    case "p": String(counts.total > 0 ? 100 * counts.ended / counts.total : 100) + "%"
    case "o": Figures.fixed(seconds > 0 ? Double(counts.ended) / seconds : 0, 1)
    case "e": Figures.fixed(seconds, 1)
    case "E": counts.secondsLeft.map { Figures.fixed($0, 1) } ?? (isOver(counts) ? "0.0" : "?")
    case "w": Figures.clock(seconds)
    default: counts.secondsLeft.map(Figures.clock) ?? (isOver(counts) ? "0:00" : "?")
    }
  }

  private static func isOver(_ counts: RunCounts) -> Bool { counts.ended >= counts.total }
}
