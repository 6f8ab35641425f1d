// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// Tells how far a run of jobs has come: a bar, a line for each end, or an event a line.
///
/// A descriptor that takes nothing more ends the display, not the run.
struct JobDisplay {
  enum Form { case bar, plain, json, none }

  private static let interval: Int64 = 100_000_000

  private(set) var form: Form
  private let descriptor: Int32
  private let start: Int64
  private let status: StatusFormat?
  private var lastShown: Int64 = 0
  private var drawn = 0

  init(_ settings: RunSettings, start: Int64) {
    descriptor = settings.progressDescriptor
    self.start = start
    status = settings.status
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

  /// One line for what happened to a job.
  ///
  /// - Parameter isEnd: so many have ended by now, unless a format says what there is to say.
  mutating func line(_ text: String, isEnd: Bool, _ counts: RunCounts, _ now: Int64) {
    guard form == .plain else { return }
    let head = status?.text(counts, Double(now - start) / 1e9)
    write("wpool: " + (head ?? (isEnd ? "[\(counts.ended)/\(counts.total)] " : "")) + text + "\n")
  }

  mutating func show(_ counts: RunCounts, _ now: Int64) {
    guard form == .bar, now - lastShown >= Self.interval else { return }
    lastShown = now
    let width = columns - 1
    let seconds = Double(now - start) / 1e9
    let text = status?.text(counts, seconds) ?? bar(counts, seconds, width)
    let line = String(text.prefix(width))
    write("\r" + line + blank(min(drawn, width) - line.count))
    drawn = line.count
  }

  private func bar(_ counts: RunCounts, _ seconds: Double, _ width: Int) -> String {
    var text = "\(counts.ended)/\(counts.total)  \(counts.running) running"
    if counts.failed > 0 { text += "  \(counts.failed) failed" }
    text += "  " + Figures.clock(seconds)
    if let left = counts.secondsLeft { text += "  ETA " + Figures.clock(left) }
    guard width >= text.count + 14 && counts.total > 0 else { return text }
    let size = min(30, width - text.count - 4)
    let full = size * counts.ended / counts.total
    return "[" + String(repeating: "#", count: full) + String(repeating: "-", count: size - full)
      + "]  " + text
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
