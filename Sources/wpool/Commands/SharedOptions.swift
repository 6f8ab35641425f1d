// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

/// How a run shows where it is.
struct ProgressOptions: ParsableArguments {
  @Option(
    name: .customLong("progress"),
    help: ArgumentHelp(
      "auto, bar, plain, json or none. [$WPOOL_PROGRESS, or auto: a bar on a terminal, else none]",
      valueName: "form"))
  var choice: ProgressChoice?

  @Option(
    name: .customLong("progress-fd"),
    help: ArgumentHelp("Descriptor that progress is written to. [2]", valueName: "n"))
  var descriptor: Int32?

  @Flag(name: .shortAndLong, help: "No notes, and a bar only if it is asked for.")
  var quiet = false

  var problem: String? {
    guard let descriptor, fcntl(descriptor, F_GETFD) < 0 else { return nil }
    return "--progress-fd \(descriptor) is not open"
  }

  func form() throws(Failure) -> ProgressChoice {
    try Environment.value(choice, or: "WPOOL_PROGRESS") ?? .auto
  }
}

/// How packed files are read.
struct UnpackOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Bytes behind the last gzip member or zstd frame: error, warn or ignore. [error]",
      valueName: "outcome"))
  var trailing: TrailingChoice?

  @Option(
    help: ArgumentHelp("Largest window of a zstd frame, up to 2G. [128M]", valueName: "size"))
  var zstdWindow: Size?

  var problem: String? {
    (zstdWindow?.bytes ?? 0) > 2 << 30 ? "--zstd-window is more than 2G" : nil
  }

  /// For commands that have nothing else to complain about.
  func check() throws(Failure) {
    if let problem { throw .usage(problem) }
  }

  var reader: CompressedReader.Options {
    var options = CompressedReader.Options()
    options.trailing = trailing?.trailing ?? .error
    if let zstdWindow { options.maxWindow = UInt64(zstdWindow.bytes) }
    return options
  }
}
