// SPDX-License-Identifier: MIT

extension JobChart {
  private static let width: Int64 = 1000
  private static let rowHeight = 24
  private static let margin = 80

  /// The rows, one for each slot, lane by lane.
  private var rows: [(lane: Lane, slot: Int32)] {
    var rows: [(lane: Lane, slot: Int32)] = []
    for lane in Lane.allCases {
      for slot in Set(bars.filter { $0.lane == lane }.map { $0.slot }).sorted() {
        rows.append((lane, slot))
      }
    }
    return rows
  }

  /// As a picture that needs nothing else: slots as rows, one `rect` for each attempt, coloured by its state,
  /// the critical path outlined, tooltips.
  public var svgText: String {
    let rows = rows
    let span = max(1, length)
    let height = Self.rowHeight * (rows.count + 1) + 10
    var text = "<svg xmlns=\"http://www.w3.org/2000/svg\" "
    text += "viewBox=\"0 0 \(Int(Self.width) + Self.margin + 10) \(height)\" "
    text += "font-family=\"sans-serif\" font-size=\"12\">\n"
    for (index, row) in rows.enumerated() {
      let name = row.slot < 0 ? "lent" : "\(row.slot)"
      text += "<text x=\"4\" y=\"\(index * Self.rowHeight + 20)\">\(row.lane.name) \(name)</text>\n"
    }
    // By job: its last attempt, if the end waited for it.
    var critical: [String: Int32] = [:]
    for bar in criticalPath { critical[bar.id] = bar.attempt }
    for bar in bars {
      guard let row = rows.firstIndex(where: { $0.lane == bar.lane && $0.slot == bar.slot }) else {
        continue
      }
      let x = Int64(Self.margin) + Self.scaled(bar.start, span)
      let width = max(1, Self.scaled(bar.end, span) - Self.scaled(bar.start, span))
      let isCritical = critical[bar.id] == bar.attempt
      text += "<rect x=\"\(x)\" y=\"\(row * Self.rowHeight + 6)\" width=\"\(width)\" "
      text += "height=\"\(Self.rowHeight - 6)\" fill=\"\(Self.colour(of: bar.state))\""
      if isCritical { text += " stroke=\"black\" stroke-width=\"2\"" }
      let id = Self.markup(bar.id)
      text += "><title>\(id), attempt \(bar.attempt), \(bar.state.name), "
      text += "\(Self.seconds(bar.start)) s to \(Self.seconds(bar.end)) s</title></rect>\n"
    }
    let bottom = rows.count * Self.rowHeight + 22
    text += "<text x=\"\(Self.margin)\" y=\"\(bottom)\">0 s</text>\n"
    text += "<text x=\"\(Int(Self.width) + Self.margin)\" y=\"\(bottom)\" "
    text += "text-anchor=\"end\">\(Self.seconds(length)) s</text>\n"
    return text + "</svg>\n"
  }

  /// For terminals: a row of letters for each slot, the first one of each job's id.
  public func asciiText(columns: Int) -> String {
    let columns = max(10, columns - 12)
    let span = max(1, length)
    var text = ""
    for row in rows {
      var cells = [Character](repeating: "·", count: columns)
      for bar in bars where bar.lane == row.lane && bar.slot == row.slot {
        let first = min(columns - 1, Int(Double(bar.start) / Double(span) * Double(columns)))
        let last = min(columns - 1, Int(Double(bar.end) / Double(span) * Double(columns)))
        let letter = bar.state.isSatisfied || bar.state == .running ? bar.id.first ?? "#" : "!"
        for cell in first...max(first, last) { cells[cell] = letter }
      }
      var name = "\(row.lane.name) \(row.slot < 0 ? "lent" : "\(row.slot)")"
      while name.count < 11 { name += " " }
      text += name + " " + String(cells) + "\n"
    }
    return text
  }

  private static func scaled(_ time: Int64, _ span: Int64) -> Int64 {
    Int64(Double(time) / Double(span) * Double(width))
  }

  /// With three decimals.
  static func seconds(_ nanoseconds: Int64) -> String {
    let milliseconds = max(0, nanoseconds) / 1_000_000
    let part = "\(milliseconds % 1000)"
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - part.count) + part
  }

  private static func colour(of state: JobState) -> StaticString {
    switch state {
    case .completed: "#4caf50"
    case .failed: "#e53935"
    case .timeout: "#fb8c00"
    case .cancelled: "#9e9e9e"
    default: "#42a5f5"
    }
  }

  private static func markup(_ text: String) -> String {
    var marked = ""
    for character in text {
      switch character {
      case "<": marked += "&lt;"
      case ">": marked += "&gt;"
      case "&": marked += "&amp;"
      default: marked.append(character)
      }
    }
    return marked
  }
}
