// SPDX-License-Identifier: MIT
import FoundationEssentials
import Glibc
import Workpool

/// What lies beside a configuration: how it has to end, and what a run has to write.
struct ExpectedOutcome {
  enum End {
    case success
    /// `validate` fails and says so.
    case refusal(ExpectedText)
    /// `validate` succeeds, a run fails and says so.
    case failure(ExpectedText)
  }

  let folder: String
  private(set) var end = End.success
  /// What `validate` has to say beside its success.
  private(set) var warning: ExpectedText?
  /// Files to be written, by their paths from the folder, sorted; of a configuration that is right.
  private(set) var files: [String] = []
  /// Files that a run needs.
  private(set) var inputs: [String] = []
  private let names: Set<String>

  init(configuration path: String) throws(Failure) {
    folder = path.contains("/") ? Self.folder(of: path) : "."
    names = Set(try Self.list(folder))
    if let text = try text("expected_error") { end = .refusal(text) }
    if let text = try text("expected_runtime_error") { end = .failure(text) }
    warning = try text("expected_validation_warning")
    inputs = names.filter { $0.hasPrefix("input") && !$0.hasSuffix(".toml") }.sorted()
    if case .refusal = end { return }
    let text = try ConfigurationText(path: path)
    let configuration = try Configuration(text)
    if configuration.benchmark?.isEnabled == true {
      throw .usage("\(path): a benchmark writes nothing that could be compared")
    }
    for name in Self.texts(text.root) where !inputs.contains(name) && isFile(name) {
      inputs.append(name)
    }
    guard let prefix = configuration.output?.naming.prefix, case .success = end else { return }
    let within = prefix.contains("/") ? Self.folder(of: prefix) : ""
    let start = prefix.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    let listed = try within.isEmpty ? Array(names) : Self.list(folder + "/" + within)
    files =
      listed.filter { $0.hasPrefix(start) }
      .map { within.isEmpty ? $0 : within + "/" + $0 }
      .filter { isFile($0) && !inputs.contains($0) && !$0.hasSuffix(".toml") }
      .sorted()
  }

  func has(_ name: String) -> Bool { names.contains(name) }

  /// `NAME.txt`, or `NAME.regex`.
  private func text(_ name: String) throws(Failure) -> ExpectedText? {
    for (suffix, isPattern) in [(".txt", false), (".regex", true)] where has(name + suffix) {
      return try ExpectedText(path: folder + "/" + name + suffix, isPattern: isPattern)
    }
    return nil
  }

  private func isFile(_ name: String) -> Bool {
    guard !name.hasPrefix("/"), !name.isEmpty else { return false }
    var info = stat()
    return stat(folder + "/" + name, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
  }

  /// All texts of a configuration: those that name a file are needed.
  private static func texts(_ members: [StepParameter]) -> [String] {
    members.flatMap { texts($0.value) }
  }

  private static func texts(_ value: StepValue) -> [String] {
    switch value {
    case .text(let text): [text]
    case .list(let values): values.flatMap { texts($0) }
    case .table(let members): texts(members)
    default: []
    }
  }

  static func folder(of path: String) -> String {
    let end = path.lastIndex(of: "/") ?? path.startIndex
    return end == path.startIndex ? "/" : String(path[..<end])
  }

  static func list(_ folder: String) throws(Failure) -> [String] {
    do { return try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
      throw Failure(exitCode: .run, messages: ["\(folder): cannot be read"])
    }
  }
}

/// Words that a message has to hold.
struct ExpectedText {
  let text: String
  private let pattern: Regex<AnyRegexOutput>?

  init(path: String, isPattern: Bool) throws(Failure) {
    let bytes: [UInt8]
    do { bytes = try WholeFile.read(path) } catch { throw Failure(beforeStart: error) }
    var text = String(decoding: bytes, as: UTF8.self)
    while text.last?.isNewline == true { text.removeLast() }
    self.text = text
    do { pattern = isPattern ? try Regex(text) : nil } catch {
      throw .usage("\(path): no regular expression: \(error)")
    }
  }

  func isIn(_ words: String) -> Bool {
    pattern.map { words.contains($0) } ?? words.contains(text)
  }
}
