// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool

extension ExitCode {
  /// Data, a step, a command, an input or an output failed.
  static let run = ExitCode(1)
  /// The command line is wrong; nothing was written.
  static let usage = ExitCode(2)
  /// No memory, no thread, or a fault of the program itself.
  static let program = ExitCode(3)
  /// Standard output was closed.
  static let closedOutput = ExitCode(128 + SIGPIPE)

  static func signal(_ number: Int32) -> ExitCode { ExitCode(128 + number) }
  var isOfSignal: Bool { rawValue > 128 }

  /// What a run ends with that failed so.
  init(_ error: WorkpoolError, beforeStart: Bool = false) {
    switch error.status {
    case .noMemory, .noThread, .invalidState, .badReturn, .duplicateBlock, .missingBlock,
      .wouldDeadlock:
      self = .program
    case .invalidArgument where beforeStart: self = .usage
    default: self = error.isClosedOutput ? .closedOutput : .run
    }
  }
}

extension WorkpoolError {
  /// Whether nobody reads standard output any more: no fault of this program's.
  var isClosedOutput: Bool {
    systemError == EPIPE
      && (path == Endpoint.standardOutput.name || path == "/dev/stdout" || path == "/dev/fd/1")
  }
}

/// An end of the program that is told on standard error.
struct Failure: Error {
  var exitCode: ExitCode
  /// One for each thing that is wrong.
  var messages: [String]

  static func usage(_ messages: String...) -> Failure {
    Failure(exitCode: .usage, messages: messages)
  }

  /// Of a run that could not begin.
  init(beforeStart error: WorkpoolError) {
    let code = ExitCode(error, beforeStart: true)
    self.init(exitCode: code, messages: code == .closedOutput ? [] : [error.text])
  }

  init(exitCode: ExitCode, messages: [String]) {
    self.exitCode = exitCode
    self.messages = messages
  }
}
