// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

struct DecompressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decompress", abstract: "Unpack, test or list gzip, BGZF and zstd files.",
    usage: "wpool decompress [<file> ...] [-c | -o <file> | -t | -l] [<options>]",
    discussion: """
      Unpacks FILE.gz, FILE.bgz, FILE.zst or FILE.zstd into FILE, FILE.tgz and FILE.tzst into \
      FILE.tar, with the permissions, owner and times of the packed file; without a file, standard \
      input into standard output. FILE without a suffix stands for the packed file beside it. The \
      content tells how a file is packed, not its name. Files stay unless --rm says otherwise. \
      Every checksum and length is checked; of a damaged file nothing is left but the message, \
      which says where the damage is.

      -l prints for each file, having read all of it: how it is packed; its members, blocks or \
      frames; its size; that of what is in it; what packing saves; and whether it is sound.
      """)

  @Argument(help: "Files to unpack; - is standard input.", completion: .file())
  var files: [String] = []

  @Flag(name: .shortAndLong, help: "Read and check all, write nothing; exit code 1 for damage.")
  var test = false

  @Flag(name: .shortAndLong, help: "Print what is in each file.")
  var list = false

  @OptionGroup(title: "Outputs") var output: FileOutputOptions
  @OptionGroup(title: "Reading") var unpack: UnpackOptions
  @OptionGroup(title: "Workers and words") var words: FileWordOptions

  func run() throws {
    let inputs = try FileInput.all(files.map { PackedName.found($0) })
    try check(inputs)
    let fillsOutput = list || !test && inputs.contains { output.writesToOutput($0) }
    let session = try FileSession(
      words, total: FileInput.size(of: inputs), hasReads: false, fillsOutput: fillsOutput)
    let listing = FileListing()
    var code = try session.run(inputs.count) { [self] index throws(WorkpoolError) in
      let input = inputs[index]
      if test || list {
        try examine(input, listing, session)
      } else {
        try write(input, session)
      }
    }
    if list && !code.isOfSignal {
      let written = Console.write(listing.text)
      if code == .success { code = written }
    }
    throw code
  }

  private func check(_ inputs: [FileInput]) throws(Failure) {
    try unpack.check()
    if test && list { throw .usage("-t and -l exclude each other: -l tests, too") }
    if test || list {
      let flag = test ? "-t" : "-l"
      if output.toOutput || output.output != nil || output.fate == .remove || output.sync {
        throw .usage("\(flag) writes and removes nothing: no -c, -o, --rm or --sync")
      }
    } else {
      try output.check(inputs) { PackedName.unpacked($0) }
    }
    if !output.force, inputs.contains(where: { $0.path == nil }), isatty(0) == 1 {
      throw .usage("packed bytes are not read from a terminal; -f reads them")
    }
  }

  private func reader(_ input: FileInput, acceptsPlain: Bool) throws(WorkpoolError) -> FileReader {
    let reader = try FileReader(bytesOf: input.endpoint, options: unpack.reader)
    if reader.info.compression == .plain && !acceptsPlain {
      throw WorkpoolError(
        .corruptInput, "is not packed as gzip or zstd; wpool cat takes it as it is",
        path: reader.name)
    }
    return reader
  }

  private func write(_ input: FileInput, _ session: FileSession) throws(WorkpoolError) {
    let endpoint = try output.endpoint(input) { path throws(WorkpoolError) in
      if let name = PackedName.unpacked(path) { return name }
      throw WorkpoolError(
        .unsupported, "has no suffix of a packed file: say with -c or -o where its bytes shall go",
        path: path)
    }
    if output.fate == .remove { try input.checkIsRemovable() }
    let reader = try reader(
      input, acceptsPlain: output.force && output.writesToOutput(input))
    let info = try session.write(
      input, to: endpoint, output.writer(input, .plain, level: nil)
    ) { pipeline throws(WorkpoolError) in
      try pipeline.setReader(reader)
      try pipeline.addProgress(session.progress)
    }
    session.note(reader.notes)
    if words.verbose {
      session.say(
        FileRatio(packed: reader.info.packedBytes, bytes: info.bytes).sentence(
          from: input.endpoint.name, to: endpoint.name, packs: false))
    }
    if output.fate == .remove { try input.remove() }
  }

  /// Reads all of a file.
  private func examine(
    _ input: FileInput, _ listing: FileListing, _ session: FileSession
  ) throws(WorkpoolError) {
    let reader = try reader(input, acceptsPlain: false)
    do throws(WorkpoolError) {
      try session.run(input) { (pipeline) throws(WorkpoolError) in
        try pipeline.setReader(reader)
        try pipeline.setSink("check") { block, _ throws(WorkpoolError) in
          session.progress.add(block)
          return .goOn
        }
      }
    } catch {
      if error.status != .cancelled { listing.add(reader.name, reader.info, isSound: false) }
      throw error
    }
    listing.add(reader.name, reader.info, isSound: true)
    session.note(reader.notes)
    if words.verbose && test {
      let info = reader.info
      session.say(
        "\(reader.name): sound, \(FileListing.parts(info)), \(Figures.grouped(info.decodedBytes)) bytes"
      )
    }
  }
}

/// The table of `-l`.
final class FileListing {
  private var rows: [(name: String, info: StreamInfo, isSound: Bool)] = []

  func add(_ name: String, _ info: StreamInfo, isSound: Bool) { rows.append((name, info, isSound)) }

  /// `1 member`, `20 blocks`
  static func parts(_ info: StreamInfo) -> String {
    let part =
      switch info.compression {
      case .bgzf: "block"
      case .zstd: "frame"
      case .gzip, .plain: "member"
      }
    return "\(info.parts) \(part)\(info.parts == 1 ? "" : "s")"
  }

  var text: String {
    if rows.isEmpty { return "" }
    var table = TextTable(["file", "format", "parts", "packed", "size", "saved", "check"])
    var (packed, bytes) = (UInt64(0), UInt64(0))
    for row in rows {
      packed += row.info.packedBytes
      bytes += row.info.decodedBytes
      table.add([
        row.name, "\(row.info.compression.name)", Self.parts(row.info),
        String(row.info.packedBytes), String(row.info.decodedBytes),
        FileRatio(packed: row.info.packedBytes, bytes: row.info.decodedBytes).text,
        row.isSound ? "ok" : "damaged",
      ])
    }
    if rows.count > 1 {
      table.add([
        "total", "", "", String(packed), String(bytes),
        FileRatio(packed: packed, bytes: bytes).text, "",
      ])
    }
    return table.text
  }
}
