// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

/// What commands on single files have in common.
struct FileWordOptions: ParsableArguments {
  @Option(
    name: [.customShort("j", allowingJoined: true), .customLong("max-workers")],
    help: ArgumentHelp(
      "Workers. [$WPOOL_MAX_WORKERS, or auto: usable CPUs]", valueName: "n|auto"))
  var maxWorkers: WorkerCount?

  @OptionGroup var progress: ProgressOptions

  @Flag(name: .shortAndLong, help: "Tell what was done with each file.")
  var verbose = false

  func validate() throws {
    if progress.quiet && verbose { throw ValidationError("-q and -v exclude each other") }
    if let problem = progress.problem { throw ValidationError(problem) }
  }

  func workers() throws(Failure) -> Int { try WorkerCount.chosen(maxWorkers) }
}

/// Where the result of a file goes, and what becomes of the file.
struct FileOutputOptions: ParsableArguments {
  enum Fate: EnumerableFlag {
    case keep, remove

    static func name(for value: Fate) -> NameSpecification {
      value == .keep ? [.customShort("k"), .customLong("keep")] : .customLong("rm")
    }
    static func help(for value: Fate) -> ArgumentHelp? {
      value == .keep
        ? "Keep the files that were read; so it is without --rm. The last of the two counts."
        : "Remove each file once its output is complete and on the device."
    }
  }

  @Flag(name: [.customShort("c"), .customLong("stdout")], help: "Write to standard output.")
  var toOutput = false

  @Option(
    name: [.customShort("o", allowingJoined: true), .customLong("output")],
    help: ArgumentHelp(
      "File to write, for one file to read; - is standard output.", valueName: "file"),
    completion: .file())
  var output: String?

  @Flag(exclusivity: .chooseLast) var fate = Fate.keep

  @Flag(
    name: .shortAndLong,
    help: "Replace outputs that exist, and do what is refused otherwise. No input is ever written.")
  var force = false

  @Flag(help: "Put outputs on the device before they get their names.")
  var sync = false

  /// - Parameter derive: the output's name where the command line has none; nil: there is no such name.
  func check(_ inputs: [FileInput], _ derive: (String) -> String?) throws(Failure) {
    if output != nil && toOutput { throw .usage("-o and -c exclude each other") }
    if output == "" { throw .usage("the name of the output is empty") }
    if output != nil && inputs.count > 1 { throw .usage("-o takes a single file to read") }
    if fate == .remove && inputs.contains(where: { writesToOutput($0) }) {
      throw .usage("--rm needs an output in a file")
    }
    var writers: [String: String] = [:]
    for input in inputs where !writesToOutput(input) && output == nil {
      guard let path = input.path, let name = derive(path) else { continue }
      if let other = writers.updateValue(path, forKey: name) {
        throw .usage("\(other) and \(path) would both be written to \(name)")
      }
    }
  }

  func writesToOutput(_ input: FileInput) -> Bool {
    if let output { return output == "-" }
    return toOutput || input.path == nil
  }

  /// - Parameter derive: the output's name where the command line has none.
  func endpoint(
    _ input: FileInput, _ derive: (String) throws(WorkpoolError) -> String
  ) throws(WorkpoolError) -> Endpoint {
    if writesToOutput(input) { return .standardOutput }
    if let output { return .path(output) }
    guard let path = input.path else { return .standardOutput }
    try input.checkIsThere()
    if input.isSpecial {
      throw WorkpoolError(
        .unsupported, "is no regular file: say with -c or -o where its bytes shall go", path: path)
    }
    return .path(try derive(path))
  }

  func writer(_ input: FileInput, _ compression: Compression, level: Int?) -> FileWriter.Options {
    var options = FileWriter.Options()
    options.compression = compression
    options.level = level
    options.inputs = [input.endpoint]
    options.outputSet.allowsOverwrite = force
    options.outputSet.syncs = sync || fate == .remove
    options.outputSet.attributes = input.attributes
    return options
  }
}
