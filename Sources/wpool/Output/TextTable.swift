// SPDX-License-Identifier: MIT

/// Rows whose columns stand under each other: the first to the left, the others to the right.
struct TextTable {
  private var rows: [[String]]

  init(_ heads: [String]) { rows = [heads] }

  mutating func add(_ row: [String]) { rows.append(row) }

  /// Of a table of these rows.
  static func width(of rows: [[String]]) -> Int {
    let widths = widths(of: rows)
    return widths.reduce(0, +) + 2 * max(0, widths.count - 1)
  }

  private static func widths(of rows: [[String]]) -> [Int] {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    return widths
  }

  /// All columns to the left.
  var leftText: String {
    let widths = Self.widths(of: rows)
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += (column > 0 ? "  " : "") + cell
        if column < row.count - 1 {
          line += String(repeating: " ", count: widths[column] - cell.count)
        }
      }
      return line + "\n"
    }.joined()
  }

  var text: String {
    let widths = Self.widths(of: rows)
    var text = ""
    for row in rows {
      for (column, cell) in row.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        text += column == 0 ? cell + (row.count > 1 ? space : "") : "  " + space + cell
      }
      while text.last == " " { text.removeLast() }
      text += "\n"
    }
    return text
  }
}
