// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// Tells how far a run of jobs has come: a bar, a line for each end, or an event a line.
///
/// A descriptor that takes nothing more ends the display, not the run.
struct JobDisplay {
  enum Form { case bar, plain, json, none }

  struct Counts {
    var total = 0
    var ended = 0
    var running = 0
    var failed = 0
    /// Of jobs that ran.
    var completed = 0
    var execution: Int64 = 0
    var slots = 1
  }

  private static let interval: Int64 = 100_000_000

  private(set) var form: Form
  private let descriptor: Int32
  private let start: Int64
  private var lastShown: Int64 = 0
  private var drawn = 0

  init(_ settings: RunSettings, start: Int64) {
    descriptor = settings.progressDescriptor
    self.start = start
    form =
      switch settings.progress {
      case .auto: settings.isQuiet ? .none : isatty(descriptor) == 1 ? .bar : .plain
      case .bar: .bar
      case .plain: .plain
      case .json: .json
      case .none: .none
      }
  }

  /// Whether standard error is for events alone.
  var ownsErrors: Bool { form == .json && descriptor == 2 }

  /// When `show` has something to draw.
  func due(_ now: Int64) -> Int64? { form == .bar ? lastShown + Self.interval : nil }

  mutating func event(_ members: [JSONValue.Member]) {
    guard form == .json else { return }
    write(JSONValue.object(members).line + "\n")
  }

  mutating func line(_ text: String) {
    guard form == .plain else { return }
    write("wpool: " + text + "\n")
  }

  mutating func show(_ counts: Counts, _ now: Int64) {
    guard form == .bar, now - lastShown >= Self.interval else { return }
    lastShown = now
    let seconds = Double(now - start) / 1e9
    var text = "\(counts.ended)/\(counts.total)  \(counts.running) running"
    if counts.failed > 0 { text += "  \(counts.failed) failed" }
    text += "  " + Figures.clock(seconds)
    if counts.completed > 0 && counts.ended < counts.total {
      let each = Double(counts.execution) / 1e9 / Double(counts.completed)
      let rest = each * Double(counts.total - counts.ended) / Double(max(1, counts.slots))
      text += "  ETA " + Figures.clock(rest)
    }
    let width = columns - 1
    if width >= text.count + 14 && counts.total > 0 {
      let size = min(30, width - text.count - 4)
      let full = size * counts.ended / counts.total
      text =
        "[" + String(repeating: "#", count: full) + String(repeating: "-", count: size - full)
        + "]  " + text
    }
    let line = String(text.prefix(width))
    write("\r" + line + blank(min(drawn, width) - line.count))
    drawn = line.count
  }

  /// Makes room for a message; the next `show` draws the bar again.
  mutating func hide() {
    guard form == .bar, drawn > 0 else { return }
    write("\r" + blank(min(drawn, columns - 1)) + "\r")
    drawn = 0
    lastShown = 0
  }

  private func blank(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

  private mutating func write(_ text: String) {
    if Console.put(text, to: descriptor) != 0 { form = .none }
  }

  private var columns: Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
