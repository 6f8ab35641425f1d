// SPDX-License-Identifier: MIT

/// What a call or a run came to: 0 is success, positive values are other good ends, negative
/// values are errors. The numbers are those of `WP_…` in `workpool.h` and never change.
public struct Status: RawRepresentable, Equatable, Sendable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  public static let ok = Status(rawValue: 0)
  /// A stage or the host ended the run early; everything up to there was delivered.
  public static let stopped = Status(rawValue: 1)
  /// There is nothing more to read.
  public static let end = Status(rawValue: 2)

  public static let invalidArgument = Status(rawValue: -1)
  public static let invalidState = Status(rawValue: -2)
  public static let noMemory = Status(rawValue: -3)
  public static let noThread = Status(rawValue: -4)
  public static let busy = Status(rawValue: -5)
  public static let closed = Status(rawValue: -6)
  public static let cancelled = Status(rawValue: -7)
  public static let timedOut = Status(rawValue: -8)
  public static let wouldBlock = Status(rawValue: -9)
  public static let wouldDeadlock = Status(rawValue: -10)
  public static let resultsWaiting = Status(rawValue: -11)
  public static let stageFailed = Status(rawValue: -12)
  public static let badReturn = Status(rawValue: -13)
  public static let duplicateBlock = Status(rawValue: -14)
  public static let missingBlock = Status(rawValue: -15)
  public static let forked = Status(rawValue: -16)
  public static let unsupported = Status(rawValue: -17)

  /// The operating system refused; `systemError` has the errno.
  public static let ioFailed = Status(rawValue: -30)
  /// Damaged compressed data: a checksum, a length or the structure is wrong.
  public static let corruptInput = Status(rawValue: -31)
  /// The input ends in the middle of something.
  public static let truncatedInput = Status(rawValue: -32)
  /// A record breaks the rules of its format.
  public static let malformedRecord = Status(rawValue: -33)
  /// A record or a window is larger than its limit.
  public static let limitExceeded = Status(rawValue: -34)
  /// An output exists already.
  public static let outputExists = Status(rawValue: -35)

  // Jobs.
  /// The id is taken.
  public static let exists = Status(rawValue: -50)
  public static let notFound = Status(rawValue: -51)
  public static let shutDown = Status(rawValue: -52)
  public static let cycle = Status(rawValue: -53)
  public static let unknownDependency = Status(rawValue: -54)
  /// The request is larger than all there is.
  public static let unsatisfiable = Status(rawValue: -55)
  /// What a job's callback returns that failed for good.
  public static let noRetry = Status(rawValue: -56)

  /// First of the codes that callbacks may use for themselves: this one and all below it.
  public static let firstUserCode = Status(rawValue: -1000)

  public var isError: Bool { rawValue < 0 }

  /// The name in `workpool.h`, such as `WP_CLOSED`; `WP_UNKNOWN` for a number without a name.
  public var name: StaticString { description.name }
  /// One sentence without a full stop.
  public var text: StaticString { description.text }

  private var description: (name: StaticString, text: StaticString) {
    switch rawValue {
    case 0: ("WP_OK", "success")
    case 1: ("WP_STOPPED", "the run was ended early")
    case 2: ("WP_END", "nothing more to read")
    case -1: ("WP_INVALID_ARGUMENT", "an argument or option is not valid")
    case -2: ("WP_INVALID_STATE", "the call is not possible in this state")
    case -3: ("WP_NO_MEMORY", "out of memory")
    case -4: ("WP_NO_THREAD", "a thread could not be created")
    case -5: ("WP_BUSY", "still in use")
    case -6: ("WP_CLOSED", "closed: no more input is accepted")
    case -7: ("WP_CANCELLED", "cancelled")
    case -8: ("WP_TIMED_OUT", "the time is over")
    case -9: ("WP_WOULD_BLOCK", "not possible without waiting")
    case -10: ("WP_WOULD_DEADLOCK", "waiting would never end")
    case -11: ("WP_RESULTS_WAITING", "results must be read first")
    case -12: ("WP_STAGE_FAILED", "a stage failed")
    case -13: ("WP_BAD_RETURN", "a callback returned an unknown value or left a broken block")
    case -14: ("WP_DUPLICATE_BLOCK", "this block number was submitted before")
    case -15: ("WP_MISSING_BLOCK", "a block number was never submitted")
    case -16: ("WP_FORKED", "the handle belongs to the parent process")
    case -17: ("WP_UNSUPPORTED", "not supported by this build")
    case -30: ("WP_IO_FAILED", "input or output failed")
    case -31: ("WP_CORRUPT_INPUT", "the compressed data is damaged")
    case -32: ("WP_TRUNCATED_INPUT", "the input ends too early")
    case -33: ("WP_MALFORMED_RECORD", "a record breaks the rules of its format")
    case -34: ("WP_LIMIT_EXCEEDED", "a limit is exceeded")
    case -35: ("WP_OUTPUT_EXISTS", "an output exists already")
    case -50: ("WP_EXISTS", "the id is taken")
    case -51: ("WP_NOT_FOUND", "there is no such job")
    case -52: ("WP_SHUT_DOWN", "the pool is shut down")
    case -53: ("WP_CYCLE", "jobs would wait for each other")
    case -54: ("WP_UNKNOWN_DEPENDENCY", "a dependency was never submitted")
    case -55: ("WP_UNSATISFIABLE", "the request is larger than all there is")
    case -56: ("WP_NO_RETRY", "failed for good")
    default:
      rawValue <= Self.firstUserCode.rawValue
        ? ("WP_USER_CODE", "a callback returned its own error code")
        : ("WP_UNKNOWN", "unknown status")
    }
  }
}
