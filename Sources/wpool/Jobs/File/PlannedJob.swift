// SPDX-License-Identifier: MIT
import Workpool

/// A job as it will run.
struct PlannedJob {
  enum Work {
    case line(String)
    case program([String])
  }

  var id: String
  var work: Work
  /// All that is not filled in below.
  var settings: JobSettings
  /// Absolute.
  var folder: String
  var environment: [(name: String, value: String)] = []
  /// Absolute.
  var input: String?
  /// As written: relative to the file's folder.
  var inputs: [String] = []
  var outputs: [String] = []
  /// `after` as written, with values in place; looked up in `dependencies`.
  var after: [String] = []
  /// Of wpool each: what the command was filled in with.
  var words: String?
  var stage: Int?
  /// Where it stands in the text.
  var path: [String]

  /// Places in the plan, ascending, each once.
  var dependencies: [Int] = []
  /// Jobs whose added jobs it waits for, too.
  var awaitsAddedBy: [Int] = []
  /// The job that added it while running.
  var adder: Int?

  var when: JobSpec.When { settings.when ?? .success }
  var ownsConsole: Bool { settings.console ?? false }

  /// The words that are executed.
  var arguments: [String] {
    switch work {
    case .line(let line): (settings.shell ?? ["/bin/sh", "-c"]) + [line]
    case .program(let words): words
    }
  }

  /// What the system gets, by the keys it comes from.
  var texts: [(key: String, text: String)] {
    var texts: [(key: String, text: String)] = []
    switch work {
    case .line(let line): texts.append(("run", line))
    case .program(let words): texts += words.map { ("run", $0) }
    }
    texts += (settings.shell ?? []).map { ("shell", $0) }
    texts += [("cwd", folder), ("stdin", input ?? "")]
    texts += environment.flatMap { [("env", $0.name), ("env", $0.value)] }
    texts += inputs.map { ("inputs", $0) }
    texts += outputs.map { ("outputs", $0) }
    return texts
  }

  /// The beginning of the command, in one line.
  var shortCommand: String {
    let text = commandText.split(whereSeparator: \.isNewline).joined(separator: " ")
    return text.count > 60 ? text.prefix(59) + "…" : text
  }

  /// For people.
  var commandText: String {
    switch work {
    case .line(let line): line
    case .program(let words): words.map(ShellWords.quoted).joined(separator: " ")
    }
  }
}
