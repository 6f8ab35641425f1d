// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct CatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat", abstract: "Write the unpacked bytes of files to standard output.",
    usage: "wpool cat [<file> ...] [<options>]",
    discussion: """
      Files are plain, gzip, BGZF or zstd, told apart by content; without a file, standard input \
      is read. What lies in front of a damage is written, then the next file; the exit code is 1.
      """)

  @Argument(help: "Files to read; - is standard input.", completion: .file())
  var files: [String] = []

  @OptionGroup(title: "Reading") var unpack: UnpackOptions
  @OptionGroup(title: "Workers and words") var words: FileWordOptions

  func run() throws {
    let inputs = try FileInput.all(files)
    try unpack.check()
    let session = try FileSession(
      words, total: FileInput.size(of: inputs), hasReads: false, fillsOutput: true)
    try check(inputs)
    var options = FileWriter.Options()
    options.compression = .plain
    throw try session.run(inputs.count) { [self, options] index throws(WorkpoolError) in
      let reader = try FileReader(bytesOf: inputs[index].endpoint, options: unpack.reader)
      let info = try session.write(inputs[index], to: .standardOutput, options) {
        pipeline throws(WorkpoolError) in
        try pipeline.setReader(reader)
        try pipeline.addProgress(session.progress)
      }
      session.note(reader.notes)
      if words.verbose {
        session.say(
          "\(reader.name): \(reader.info.compression.name), \(Figures.grouped(info.bytes)) bytes")
      }
    }
  }

  /// No file is to be read that standard output is written to.
  private func check(_ inputs: [FileInput]) throws(Failure) {
    var options = OutputSet.Options()
    options.hasMarker = false
    do throws(WorkpoolError) {
      _ = try OutputSet(
        [OutputSet.Output(.standardOutput)], inputs: inputs.map { $0.endpoint }, options: options)
    } catch {
      throw Failure(beforeStart: error)
    }
  }
}
