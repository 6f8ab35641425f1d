// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// What becomes of processes that are still in a child's group when the child itself has ended.
public enum LeftoverRule: Int32, Sendable {
  /// SIGTERM, and SIGKILL after 0.2 s.
  case kill
  /// They go on, and their numbers are told.
  case warn
  /// They go on.
  case leave
}

/// What a child process is started with.
public struct ChildCommand: Sendable {
  /// Where the child's words go. The kernel writes them: they survive this process.
  public enum Output: Equatable, Sendable {
    case none
    /// A file of its own, which is created or emptied.
    case file(String)
    /// A descriptor of this process, which stays open.
    case descriptor(Int32)
    /// For errors: where the output goes.
    case sameAsOutput
  }

  /// The program, looked up in this process's `PATH` if it has no slash, and its arguments.
  public var arguments: [String]
  /// `NAME=value`; nil: the environment of this process.
  public var environment: [String]?
  /// nil: the folder of this process.
  public var folder: String?
  /// A file to read; nil: there is nothing to read.
  public var input: String?
  public var output = Output.none
  public var errors = Output.none
  /// Descriptors of this process that the child gets as 3, to read, and 4, to write.
  public var channel: (input: Int32, output: Int32)?
  /// Has this process's standard input, and is in the terminal's foreground.
  public var ownsTerminal = false
  public var leftovers = LeftoverRule.kill
  /// Between SIGTERM and SIGKILL, in nanoseconds.
  public var killGrace: Int64 = 5_000_000_000

  public init(_ arguments: [String]) { self.arguments = arguments }

  /// `NAME=value` of all variables of this process.
  static var inheritedEnvironment: [String] {
    var settings: [String] = []
    var place = wpl_environment()
    while let setting = place?.pointee {
      settings.append(String(cString: setting))
      place = place?.advanced(by: 1)
    }
    return settings
  }

  /// `/bin/sh -c`
  public init(shell line: String) { arguments = ["/bin/sh", "-c", line] }
}

/// How a child process ended.
public struct ChildEnd: Sendable {
  public struct SentSignal: Equatable, Sendable {
    public var number: Int32
    public var time: Int64
  }

  /// nil: a signal ended it, or nobody knows.
  public var exitCode: Int32?
  public var signal: Int32?
  /// The child was reaped by somebody else: how it ended is lost.
  public var isLost = false
  /// Whether it still ran when `stop` was called.
  public var wasStopped = false
  public var signals: [SentSignal] = []
  /// Members of the group that the child left behind.
  public var leftovers: [Int32] = []
  /// Those that are still there: they were to stay, or no signal helped.
  public var remaining: [Int32] = []
  /// In nanoseconds, with the processes it waited for.
  public var userTime: Int64 = 0
  public var systemTime: Int64 = 0
  /// In bytes; of the largest process among them.
  public var peakMemory: Int64 = 0
}
