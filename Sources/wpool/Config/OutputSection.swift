// SPDX-License-Identifier: MIT
import Workpool

/// `[output]`: which files a run writes and what they are called.
struct OutputSection {
  enum Format: Int { case fastq, fasta, bam, none }

  var naming = OutputNaming(prefix: "")
  var format = Format.fastq
  var compression = Compression.plain
  var level: Int?
  var suffix = "fq"
  /// Segments with files of their own.
  var segments: [String]
  /// Segments that go to one file together, in this order.
  var interleaved: [String] = []
  var isStdout = false
  var hasJSONReport = false
  var hasHTMLReport = false
  var hasTiming = false
  var chunkSize: Int?
  var hashesContent = false
  var hashesFiles = false
  let path: [String]

  private static let formats = [["fastq", "fq"], ["fasta", "fa"], ["bam"], ["none"]]
  static let compressions = [["uncompressed", "raw", "none"], ["gzip", "gz"], ["zstd", "zst"]]

  init(
    _ section: SectionReader, segments all: [String], _ problems: inout ConfigurationProblems
  ) {
    var section = section
    path = section.path
    segments = all
    if let prefix = section.text("prefix", &problems) {
      naming.prefix = prefix
      if prefix.isEmpty { section.report("prefix", "prefix is empty", &problems) }
    } else if !problems.text.root.isEmpty {
      section.report("prefix", "prefix is missing: text, how outputs begin", &problems)
    }
    if let separator = section.text("ix_separator", &problems) {
      naming.separator = separator
      if separator.isEmpty || separator.contains(where: { "/\\:".contains($0) }) {
        section.report(
          "ix_separator",
          "ix_separator = \"\(separator)\" is not what is needed: text without / \\ :, not empty",
          &problems)
      }
    }
    format = section.choice("format", Self.formats, &problems).flatMap(Format.init) ?? .fastq
    readPacking(&section, &problems)
    readTargets(&section, all, &problems)
    chunkSize = section.int("chunk_size", 1...Int.max, &problems)
    hasJSONReport = section.bool("report_json", &problems) ?? false
    hasHTMLReport = section.bool("report_html", &problems) ?? false
    hasTiming = section.bool("report_timing", &problems) ?? false
    hashesContent = section.bool("output_hash_uncompressed", &problems) ?? false
    hashesFiles = section.bool("output_hash_compressed", &problems) ?? false
    if hashesContent && format == .bam {
      section.report(
        "output_hash_uncompressed", "output_hash_uncompressed is not possible for format = \"bam\"",
        &problems)
    }
    if isStdout && (hashesContent || hashesFiles) {
      section.report("stdout", "stdout and hashes of outputs exclude each other", &problems)
    }
    if chunkSize != nil && isStdout {
      section.report("chunk_size", "chunk_size and stdout exclude each other", &problems)
    }
    section.refuseRest(&problems)
  }

  private mutating func readPacking(
    _ section: inout SectionReader, _ problems: inout ConfigurationProblems
  ) {
    let choice = section.choice("compression", Self.compressions, &problems)
    compression = [.plain, .gzip, .zstd][choice ?? 0]
    if format == .bam && choice == 0 {
      section.report(
        "compression", "compression = \"uncompressed\" is not possible for format = \"bam\"",
        &problems)
    }
    if let level = section.int("compression_level", Int.min...Int.max, &problems) {
      let levels: ClosedRange<Int>? =
        format == .bam ? 0...9 : compression == .plain ? nil : compression.levels
      if let levels, !levels.contains(level) {
        section.report(
          "compression_level",
          "compression_level = \(level): \(format == .bam ? "bam" : "\(compression.name)") has "
            + "\(levels.lowerBound) to \(levels.upperBound)", &problems)
      } else if levels == nil {
        section.report(
          "compression_level", "compression_level = \(level): the output is not compressed",
          &problems)
      }
      self.level = level
    }
    _ = section.int("compression_threads", 0...Int.max, &problems)
    let packed = compression == .gzip ? ".gz" : compression == .zstd ? ".zst" : ""
    suffix =
      switch format {
      case .fastq, .none: "fq" + packed
      case .fasta: "fasta" + packed
      case .bam: "bam"
      }
    if let given = section.text("suffix", &problems) { suffix = given }
  }

  private mutating func readTargets(
    _ section: inout SectionReader, _ all: [String], _ problems: inout ConfigurationProblems
  ) {
    isStdout = section.bool("stdout", &problems) ?? false
    let output = section.take("output", problems: &problems)
    let interleave = section.take("interleave", problems: &problems)
    if let interleave, let names = section.texts(interleave, &problems) {
      check(names, interleave.key, section, all, &problems)
      if names.count < 2 && !(isStdout && names.count == 1) {
        section.report(
          interleave.key,
          "interleave = \(interleave.value.text): at least two segments are needed", &problems)
      }
      interleaved = names
      segments = []
    }
    if let output, let names = section.texts(output, &problems) {
      check(names, output.key, section, all, &problems)
      for name in names where interleaved.contains(name) {
        section.report(
          output.key, "output: \"\(name)\" is also in interleave", &problems)
      }
      segments = names
    }
    guard isStdout else { return }
    naming.isStdout = true
    if output != nil {
      section.report("stdout", "stdout and output exclude each other", &problems)
    }
    if format == .bam { section.report("stdout", "stdout cannot have format = \"bam\"", &problems) }
    if interleave == nil { interleaved = all }
    segments = []
  }

  private func check(
    _ names: [String], _ key: String, _ section: SectionReader, _ all: [String],
    _ problems: inout ConfigurationProblems
  ) {
    for (index, name) in names.enumerated() {
      if names[..<index].contains(name) {
        section.report(key, "\(key): \"\(name)\" is there twice", &problems)
      } else if !all.contains(name) && !all.isEmpty {
        section.report(
          key,
          "\(key): \"\(name)\" is no segment; segments are " + all.joined(separator: ", ")
            + Spelling.hint(name, among: all), &problems)
      }
    }
  }
}
