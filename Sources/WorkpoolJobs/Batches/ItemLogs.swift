// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A file for each attempt of each item in a folder of its own, `<item>.<attempt>.log`, of lines that name the
/// worker's process.
public final class ItemLogs {
  private let folder: String
  /// By item: its last attempt.
  private var attempts: [Int: Int32] = [:]

  /// - Throws: `ioFailed`; a folder that is there already is fine.
  public init(in folder: String) throws(WorkpoolError) {
    self.folder = folder
    try RunFolder.makeFolders(folder)
  }

  /// - Throws: `ioFailed`.
  public func take(_ event: BatchRun.Event) throws(WorkpoolError) {
    switch event {
    case .itemSaid(let item, let attempt, let process, let line):
      attempts[item] = attempt
      try write(line, item, attempt, process)
    case .workerCrashed(_, let process, let item, let death):
      guard let attempt = attempts[item] else { return }
      try write(
        BatchRun.Line(.error, "", "the worker is lost: \(death.text)"), item, attempt, process)
    case .itemFinished(let item, _): attempts[item] = nil
    case .workerStarted, .workerReady, .batchStarted, .batchFinished: break
    }
  }

  private func write(
    _ line: BatchRun.Line, _ item: Int, _ attempt: Int32, _ process: Int32
  ) throws(WorkpoolError) {
    var members = [JSONValue.Member("pid", .int(Int(process)))]
    if let data = line.data { members.append(.init("data", data)) }
    let words = LogLine.words(line.phase, line.text, .object(members))
    let bytes = LogLine.bytes(RunName.isoTime(wpl_wall_time()), line.level, words)
    let path = folder + "/\(item).\(attempt).log"
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_JOURNAL))
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "cannot create", path: path, systemError: -descriptor)
    }
    defer { _ = wpl_file_close(descriptor) }
    let failed = SmallFile.write(bytes, to: descriptor)
    guard failed == 0 else {
      throw WorkpoolError(.ioFailed, "cannot write", path: path, systemError: failed)
    }
  }
}

extension BatchScheduler.Report {
  /// What an item's log says of it.
  var line: BatchRun.Line {
    switch status {
    case .started: BatchRun.Line(.info, phase, "started")
    case .ok: BatchRun.Line(.info, phase, isFromCache ? "completed, from a cache" : "completed")
    case .skipped: BatchRun.Line(.info, phase, "skipped")
    case .failed: BatchRun.Line(.error, phase, "failed: " + error)
    }
  }
}
