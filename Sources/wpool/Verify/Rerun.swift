// SPDX-License-Identifier: MIT
import FoundationEssentials
import Glibc
import Workpool

/// One run of a configuration in a folder of its own.
struct Rerun {
  /// As it is told: `--serial`, `-j 2`.
  let name: String
  let folder: String
  let code: Int32
  /// What it wrote on its standard streams.
  let output: String
  let errors: String
  /// What it made, by paths from its folder, sorted.
  let files: [String]

  var words: String {
    String(decoding: (try? WholeFile.read(errors)) ?? [], as: UTF8.self)
  }

  /// - Parameters:
  ///   - words: of the program, behind its name and before those of the run.
  ///   - scratch: a folder, for all runs.
  init(
    _ words: [String], _ mode: [String], of configuration: String, _ expected: ExpectedOutcome,
    scratch: String, scripts: Bool
  ) throws(Failure) {
    name = mode.isEmpty ? words[0] : mode.joined(separator: " ")
    let place = scratch + "/" + name.replacing(" ", with: "")
    folder = place + "/up/up/up/run"
    output = place + "/stdout"
    errors = place + "/stderr"
    let copies = ["copy_input", "prep.sh", "test.sh"].contains { expected.has($0) }
    do {
      try Self.fill(folder, configuration, expected, copies: copies)
    } catch {
      let text = (error as? WorkpoolError)?.text ?? "\(folder): \(error)"
      throw Failure(exitCode: .run, messages: [text])
    }
    let before = Set(Self.allFiles(in: folder))
    let own = ChildProgram.own
    var program = ChildProgram(
      words: [own] + words + ["config.toml"] + mode, folder: folder,
      input: expected.has("stdin") ? expected.folder.absolutePath + "/stdin" : nil,
      output: output, errors: errors,
      settings: ["PROCESSOR_CMD=\(own)", "CONFIG_FILE=\(folder)/config.toml"])
    let runsScripts = scripts && words[0] == "process"
    if runsScripts && expected.has("prep.sh") { try Self.runScript("prep.sh", program) }
    if runsScripts && expected.has("test.sh") { program.words = ["sh", "test.sh"] }
    code = try program.run()
    if runsScripts && expected.has("post.sh") { try Self.runScript("post.sh", program) }
    files = Self.allFiles(in: folder).filter { !before.contains($0) }.sorted()
  }

  private static func runScript(_ script: String, _ program: ChildProgram) throws(Failure) {
    var program = program
    program.words = ["sh", script]
    program.output += ".script"
    program.errors += ".script"
    let code = try program.run()
    guard code == 0 else {
      throw Failure(exitCode: .run, messages: ["\(script) ended with \(code)"])
    }
  }

  private static func fill(
    _ folder: String, _ configuration: String, _ expected: ExpectedOutcome, copies: Bool
  ) throws {
    let files = FileManager.default
    try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try files.copyItem(atPath: configuration, toPath: folder + "/config.toml")
    let scripts = ["prep.sh", "test.sh", "post.sh"].filter { expected.has($0) }
    for name in expected.inputs + scripts {
      guard climb(name) <= 4 else {
        throw WorkpoolError(.invalidArgument, "is too far above the configuration", path: name)
      }
      let (from, to) = (expected.folder.absolutePath + "/" + name, folder + "/" + name)
      try files.createDirectory(
        atPath: ExpectedOutcome.folder(of: to), withIntermediateDirectories: true)
      if copies {
        try files.copyItem(atPath: from, toPath: to)
      } else {
        try files.createSymbolicLink(atPath: to, withDestinationPath: from)
      }
    }
  }

  /// How many folders a path goes up.
  private static func climb(_ path: String) -> Int {
    var (depth, lowest) = (0, 0)
    for part in path.split(separator: "/") where part != "." {
      depth += part == ".." ? -1 : 1
      lowest = min(lowest, depth)
    }
    return -lowest
  }

  private static func allFiles(in folder: String) -> [String] {
    (try? FileManager.default.subpathsOfDirectory(atPath: folder))?.filter {
      var info = stat()
      return lstat(folder + "/" + $0, &info) == 0 && info.st_mode & S_IFMT != S_IFDIR
    } ?? []
  }
}

extension String {
  var absolutePath: String { hasPrefix("/") ? self : CurrentFolder.path + "/" + self }
}
