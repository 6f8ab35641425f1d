// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

struct CompressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compress", abstract: "Pack files as gzip (BGZF) or zstd, on all CPUs.",
    usage: "wpool compress [<file> ...] [-1 ... -9 | --level <n>] [<options>]",
    discussion: """
      Packs FILE into FILE.gz or FILE.zst with its permissions, owner and times; without a file, \
      standard input into standard output. Files stay, as with zstd, unless --rm says otherwise. \
      gzip output is BGZF: every gzip reads it, and bgzip unpacks it in parallel. The packed bytes \
      do not depend on the number of workers.

      wpool compress reads.fq
      wpool compress -19 --format zstd --rm *.fq
      tar c folder | wpool compress -1 > folder.tar.gz
      """)

  enum Packing: String, ExpressibleByArgument, CaseIterable {
    case gzip, zstd

    var compression: Compression { self == .gzip ? .gzip : .zstd }
  }

  enum Effort: EnumerableFlag {
    case fast, best

    static func help(for value: Effort) -> ArgumentHelp? {
      value == .fast ? "Level 1." : "Level 9 of gzip, 19 of zstd."
    }
  }

  @Argument(help: "Files to pack; - is standard input.", completion: .file())
  var files: [String] = []

  @Option(
    help: ArgumentHelp(
      "gzip or zstd. [as the suffix of -o says, or gzip]", valueName: "format"))
  var format: Packing?

  @Option(
    help: ArgumentHelp(
      "Level, also as -N: gzip 0 to 9 [\(gzipLevel)], zstd 1 to 22 [\(zstdLevel)].",
      valueName: "n"))
  var level: Int?

  @Flag var effort: Effort?

  @Flag(
    help: "Beside each gzip output write its index, <output>.gzi, which bgzip and samtools know.")
  var bgzfIndex = false

  @Flag(help: "End each zstd output with a seek table (zstd's seekable format).")
  var zstdSeekTable = false

  @OptionGroup(title: "Outputs") var output: FileOutputOptions
  @OptionGroup(title: "Workers and words") var words: FileWordOptions

  func run() throws {
    let inputs = try FileInput.all(files)
    let compression = compression
    try output.check(inputs) { PackedName.packed($0, compression) }
    let level = try level(compression)
    let fillsOutput = inputs.contains { output.writesToOutput($0) }
    if bgzfIndex && compression != .gzip { throw Failure.usage("--bgzf-index is for gzip") }
    if bgzfIndex && fillsOutput {
      throw Failure.usage(
        "--bgzf-index: standard output has no name to put an index beside")
    }
    if zstdSeekTable && compression != .zstd {
      throw Failure.usage("--zstd-seek-table is for zstd")
    }
    if fillsOutput && !output.force && isatty(1) == 1 {
      throw Failure.usage("packed bytes are not written to a terminal; -f writes them")
    }
    let session = try FileSession(
      words, total: FileInput.size(of: inputs), hasReads: false, fillsOutput: fillsOutput)
    throw try session.run(inputs.count) { [self] index throws(WorkpoolError) in
      try pack(inputs[index], compression, level, session)
    }
  }

  private var compression: Compression {
    if let format { return format.compression }
    let named = output.output.map { Compression(path: $0) } ?? .plain
    return named == .plain ? .gzip : named
  }

  /// That of gzip and pigz, at three times the speed of pigz and 2.5 % larger: what pigz saves, a window over the
  /// whole file gives it, which blocks do without. With zlib alone it takes four times as long as level 4.
  #if Libdeflate
    static let gzipLevel = 6
  #else
    static let gzipLevel = 4
  #endif

  /// That of the program zstd: smaller files at higher levels cost several times as much.
  static let zstdLevel = 3

  private func level(_ compression: Compression) throws(Failure) -> Int {
    if let effort {
      if level != nil { throw .usage("--level and --\(effort) exclude each other") }
      return effort == .fast ? 1 : compression == .gzip ? 9 : 19
    }
    let levels = compression.levels
    if let level, !levels.contains(level) {
      throw .usage(
        "--level \(level): \(compression.name) has \(levels.lowerBound) to \(levels.upperBound)")
    }
    return level ?? (compression == .gzip ? Self.gzipLevel : Self.zstdLevel)
  }

  private func pack(
    _ input: FileInput, _ compression: Compression, _ level: Int, _ session: FileSession
  ) throws(WorkpoolError) {
    let endpoint = try output.endpoint(input) { path throws(WorkpoolError) in
      if !output.force, let suffix = PackedName.suffix(of: path) {
        throw WorkpoolError(
          .unsupported, "ends in \(suffix) already; -f packs it all the same", path: path)
      }
      return PackedName.packed(path, compression)
    }
    if output.fate == .remove { try input.checkIsRemovable() }
    let source = try ByteSource(input.endpoint)
    let slice = compression.sliceSize
    var options = output.writer(input, compression, level: level)
    if bgzfIndex { options.bgzfIndex = endpoint.name + ".gzi" }
    options.hasSeekTable = zstdSeekTable
    let info = try session.write(input, to: endpoint, options) { pipeline throws(WorkpoolError) in
      try pipeline.setBytes(of: source, size: slice * max(1, (1 << 20) / slice))
      try pipeline.addProgress(session.progress)
    }
    if words.verbose {
      session.say(
        FileRatio(packed: info.packedBytes, bytes: info.bytes).sentence(
          from: input.endpoint.name, to: endpoint.name, packs: true))
    }
    if output.fate == .remove { try input.remove() }
  }
}

/// `-19` and `-9c` in the words of the parser, whose flags are no numbers.
enum LevelWords {
  private static let valued: Set<String> = [
    "-o", "--output", "-j", "--max-workers", "--level", "--format", "--progress", "--progress-fd",
  ]

  static func spelledOut(_ words: [String]) -> [String] {
    guard words.first == "compress" else { return words }
    var result: [String] = []
    var isOption = true
    for word in words {
      if word == "--" { isOption = false }
      if isOption, !valued.contains(result.last ?? ""), let level = level(in: word) {
        result += (level.flags.isEmpty ? [] : ["-" + level.flags]) + ["--level=" + level.digits]
      } else {
        result.append(word)
      }
    }
    return result
  }

  private static func level(in word: String) -> (flags: String, digits: String)? {
    guard word.hasPrefix("-") else { return nil }
    let rest = word.dropFirst()
    let runs = rest.split { !("0"..."9").contains($0) }
    guard runs.count == 1 else { return nil }
    let flags = rest.filter { !("0"..."9").contains($0) }
    guard flags.allSatisfy({ "ckfqv".contains($0) }) else { return nil }
    return (String(flags), String(runs[0]))
  }
}

/// What packing saves, as `gzip -l` counts it.
struct FileRatio {
  let packed: UInt64
  let bytes: UInt64

  var text: String {
    bytes == 0 ? "–" : Figures.fixed(100 * (1 - Double(packed) / Double(bytes)), 1) + " %"
  }

  func sentence(from input: String, to output: String, packs: Bool) -> String {
    let (before, after) = packs ? (bytes, packed) : (packed, bytes)
    return "\(input): \(Figures.grouped(before)) bytes, \(Figures.grouped(after)) in \(output), "
      + "\(text) saved"
  }
}
