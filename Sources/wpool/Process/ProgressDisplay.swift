// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool
import WorkpoolPipeline

/// Tells how far a run has come: a bar that is drawn again and again, or lines.
///
/// A descriptor that takes nothing more ends the display, not the run.
struct ProgressDisplay {
  /// Between two looks at the run, in nanoseconds.
  static let interval: Int64 = 100_000_000
  private static let lineInterval: Int64 = 1_000_000_000

  private enum Form { case bar, plain, json, none }

  private var form: Form
  private let descriptor: Int32
  private let hasReads: Bool
  private let began = wpl_now()
  private var lastShown: Int64
  /// Of packed bytes, in the place of blocks, and of unpacked ones.
  private var estimator: ProgressEstimator
  /// Columns that the bar has filled.
  private var drawn = 0

  init(_ job: ProcessJob) {
    self.init(
      job.progress, descriptor: job.words.progress.descriptor, hasReads: job.hasReads,
      isQuiet: job.words.progress.quiet)
  }

  /// - Parameter isQuiet: no bar unless it is asked for.
  init(_ choice: ProgressChoice, descriptor: Int32?, hasReads: Bool, isQuiet: Bool) {
    let descriptor = descriptor ?? 2
    self.descriptor = descriptor
    self.hasReads = hasReads
    form =
      switch choice {
      case .auto: isatty(descriptor) == 1 && !isQuiet ? .bar : .none
      case .bar: .bar
      case .plain: .plain
      case .json: .json
      case .none: .none
      }
    lastShown = began
    estimator = ProgressEstimator(start: began)
  }

  mutating func show(_ progress: ProcessProgress?) {
    guard let progress else { return }
    let now = wpl_now()
    estimator.observe(now, blocks: progress.packedBytesRead, bytes: progress.decodedBytes)
    let interval = form == .bar ? Self.interval * 9 / 10 : Self.lineInterval
    guard form != .none, now - lastShown >= interval else { return }
    lastShown = now
    put(progress, now, isEnd: false)
  }

  /// The last word: a bar vanishes after a failure, so that the message stands alone.
  mutating func end(_ progress: ProcessProgress?, isComplete: Bool) {
    guard let progress else { return }
    switch form {
    case .none: return
    case .bar where !isComplete: hide()
    case .bar:
      put(progress, wpl_now(), isEnd: true)
      write("\n")
    case .plain, .json: put(progress, wpl_now(), isEnd: true)
    }
  }

  /// Makes room for a message; the next `show` draws the bar again.
  mutating func hide() {
    guard form == .bar, drawn > 0 else { return }
    write("\r" + blank(min(drawn, columns - 1)) + "\r")
    drawn = 0
  }

  private mutating func put(_ progress: ProcessProgress, _ now: Int64, isEnd: Bool) {
    let seconds = Double(now - began) / 1e9
    switch form {
    case .none: break
    case .plain: write("wpool: " + words(progress, seconds, isEnd).joined(separator: ", ") + "\n")
    case .json: write(json(progress, seconds, isEnd).line + "\n")
    case .bar:
      let line = bar(progress, seconds, isEnd)
      // The terminal may have become narrower meanwhile.
      let rest = blank(min(drawn, columns - 1) - line.count)
      drawn = line.count
      write("\r" + line + rest)
    }
  }

  private func blank(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

  private mutating func write(_ text: String) {
    if Console.put(text, to: descriptor) != 0 { form = .none }
  }

  // MARK: Texts

  private func share(_ progress: ProcessProgress) -> Double? {
    guard let total = progress.packedBytesTotal, total > 0 else { return nil }
    return min(1, Double(progress.packedBytesRead) / Double(total))
  }

  /// Seconds at the pace of late.
  private func remaining(_ progress: ProcessProgress) -> Double? {
    guard let total = progress.packedBytesTotal, total > 0 else { return nil }
    return estimator.remaining(blocks: total, bytes: nil).map { Double($0) / 1e9 }
  }

  private func words(_ progress: ProcessProgress, _ seconds: Double, _ isEnd: Bool) -> [String] {
    var words: [String] = []
    if hasReads { words.append(Figures.count(progress.reads) + " reads") }
    words.append(Figures.bytes(progress.decodedBytes))
    let bytesPerSecond =
      isEnd
      ? Double(progress.decodedBytes) / max(seconds, 1e-9) : Double(estimator.bytesPerSecond)
    words.append(Figures.fixed(bytesPerSecond / 1e6, 0) + " MB/s")
    if isEnd {
      words.append(Figures.clock(seconds))
    } else if let share = share(progress) {
      words.append(Figures.fixed(100 * share, 0) + " %")
      if let rest = remaining(progress) { words.append("ETA " + Figures.clock(rest)) }
    }
    return words
  }

  private func bar(_ progress: ProcessProgress, _ seconds: Double, _ isEnd: Bool) -> String {
    let text = words(progress, seconds, isEnd).joined(separator: "  ")
    let width = columns - 1
    guard !isEnd, let share = share(progress), width >= text.count + 14 else {
      return String(text.prefix(width))
    }
    let size = min(30, width - text.count - 4)
    let full = Int(share * Double(size))
    return "[" + String(repeating: "#", count: full) + String(repeating: "-", count: size - full)
      + "]  " + text
  }

  private var columns: Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  private func json(_ progress: ProcessProgress, _ seconds: Double, _ isEnd: Bool) -> JSON {
    .object([
      ("end", .bool(isEnd)),
      ("seconds", .number((seconds * 1000).rounded() / 1000)),
      ("reads", hasReads ? JSON(progress.reads) : .null),
      ("bases", hasReads ? JSON(progress.bases) : .null),
      ("blocks", JSON(progress.blocks)),
      ("bytes", JSON(progress.decodedBytes)),
      ("packed_bytes", JSON(progress.packedBytesRead)),
      ("packed_bytes_total", progress.packedBytesTotal.map { JSON($0) } ?? .null),
      (
        "eta_seconds",
        isEnd ? .null : remaining(progress).map { .number($0.rounded()) } ?? .null
      ),
    ])
  }
}
