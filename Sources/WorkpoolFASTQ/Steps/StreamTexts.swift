// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO

/// Steps with files of their own, one for each output stream: `apply` makes a batch's text for each of
/// them, on any worker, and `merge` writes it.
class StreamTexts: Step {
  final class Texts: StepPartial {
    let texts: [OutputText]
    init(_ count: Int) { texts = (0..<count).map { _ in OutputText() } }
  }

  private let ownFiles: [StepFile]
  /// The file of each stream; -1 for streams that are not written.
  let fileOfStream: [Int]

  static var compressionKey: StepKey {
    StepKey(
      "compression",
      .choice([["uncompressed", "raw", "none"], ["gzip", "gz"], ["zstd", "zst"]]),
      default: .text("uncompressed"))
  }
  static var levelKey: StepKey { StepKey("compression_level", .int(0...22), isRequired: false) }

  static func needsOutput(_ arguments: StepArguments) -> String? {
    arguments.surroundings.naming == nil
      ? "its files need a prefix: an [output] section" : checkLevel(arguments)
  }

  private static func checkLevel(_ arguments: StepArguments) -> String? {
    guard arguments.has("compression_level") else { return nil }
    let level = arguments.int("compression_level")
    let compression = compression(arguments)
    let text = "compression_level = " + String(level) + ": "
    if compression == .plain { return text + "the file is not compressed" }
    let levels = compression.levels
    return levels.contains(level)
      ? nil
      : text + (compression == .gzip ? "gzip" : "zstd") + " has " + String(levels.lowerBound)
        + " to "
        + String(levels.upperBound)
  }

  static func compression(_ arguments: StepArguments) -> Compression {
    guard arguments.has("compression") else { return .plain }
    return [Compression.plain, .gzip, .zstd][arguments.choice("compression")]
  }

  /// - Parameters:
  ///   - parts: of the files' names, before the stream.
  ///   - isWholeSuffix: what it is packed with is not added.
  ///   - isPerStream: else there is one file for all.
  ///   - endpoint: where that is, if it has no name of its own.
  init(
    _ arguments: StepArguments, parts: [String], suffix: String, isWholeSuffix: Bool = false,
    isPerStream: Bool = true, endpoint: Endpoint? = nil
  ) throws(WorkpoolError) {
    let compression = Self.compression(arguments)
    let level = arguments.has("compression_level") ? arguments.int("compression_level") : nil
    let packed =
      isWholeSuffix ? "" : compression == .gzip ? ".gz" : compression == .zstd ? ".zst" : ""
    let owner =
      (arguments.stepNumber.map { "step " + String($0) + " (" } ?? "") + arguments.stepName
      + (arguments.stepNumber == nil ? "" : ")")
    var files: [StepFile] = []
    var fileOfStream: [Int] = []
    if let endpoint {
      files.append(StepFile(endpoint: endpoint, owner: owner))
      fileOfStream = arguments.surroundings.streams.map { _ in 0 }
    } else if let naming = arguments.surroundings.naming {
      for stream in arguments.surroundings.streams {
        if !isPerStream && !files.isEmpty {
          fileOfStream.append(0)
          continue
        }
        guard stream.isWritten || !isPerStream else {
          fileOfStream.append(-1)
          continue
        }
        fileOfStream.append(files.count)
        var names: [String?] = parts.map { $0 }
        if isPerStream { names.append(stream.name) }
        let path = naming.path(names, suffix: suffix + packed)
        files.append(
          StepFile(
            endpoint: .path(path), compression: compression, level: level, owner: owner))
      }
    }
    ownFiles = files
    self.fileOfStream = fileOfStream
    try super.init(arguments)
  }

  final override var files: [StepFile] { ownFiles }
  override var merging: StepMerging { .seesAll }

  /// Empty texts for this batch.
  final func texts(_ batch: FASTQBatch) -> Texts {
    let texts = partial(of: batch, or: Texts(ownFiles.count))
    for text in texts.texts { text.bytes.count = 0 }
    return texts
  }

  /// The text that a read belongs to; nil for a read that goes nowhere.
  final func text(_ texts: Texts, _ batch: FASTQBatch, _ read: Int) -> OutputText? {
    let file = fileOfStream[batch.hasStreams ? Int(batch.streams.start[read]) : 0]
    return file < 0 ? nil : texts.texts[file]
  }

  override func merge(_ partial: StepPartial) throws(WorkpoolError) {
    let texts = unsafeDowncast(partial, to: Texts.self).texts
    for (index, writer) in writers.enumerated() { try writer.write(texts[index].bytes) }
  }
}
