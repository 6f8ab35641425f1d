// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// What a job's function is given: who it is, whether it shall stop, where its words go. Valid until the
/// function returns; of detached work until its attempt has ended.
public final class JobContext: @unchecked Sendable {
  public let job: JobHandle
  public let id: String
  /// From 1.
  public let attempt: Int32
  public let slot: Int32
  public let cpus: Int
  unowned(unsafe) let pool: JobPool
  let work: Job
  let workers: CallbackWorkers?

  // Under the pool's lock.
  /// That calls its function.
  var thread: UInt = 0
  var ownToken: Token?
  var stopCause = JobReason.none
  /// It waits for this job, and works for it meanwhile.
  var waitsFor: JobHandle?

  // Of the function alone.
  /// What it gives to whoever asks for its result.
  public var result: [UInt8] = []
  /// Why it fails, if it does.
  public var errorText = ""
  /// It is an exception of another language, whose type leads the text.
  public var isException = false
  /// Of the attempt's log; −1: nothing was written to it.
  private var logDescriptor: Int32 = -1
  private var idBytes: UnsafeMutablePointer<CChar>?

  init(
    job: JobHandle, attempt: Int32, slot: Int32, pool: JobPool, work: Job, id: String, cpus: Int,
    workers: CallbackWorkers?
  ) {
    self.job = job
    self.attempt = attempt
    self.slot = slot
    self.pool = pool
    self.work = work
    self.id = id
    self.cpus = cpus
    self.workers = workers
  }

  /// Is cancelled when the attempt shall stop. Below the token the job was given, else that of the pool.
  public func token() throws(WorkpoolError) -> Token {
    if let known = pool.locked({ ownToken }) { return known }
    let new = try Token(parent: work.token ?? pool.runToken)
    let (token, isLate) = pool.locked {
      if ownToken == nil { ownToken = new }
      return (ownToken ?? new, stopCause)
    }
    if isLate != .none { token.cancel(isLate.cancelReason) }
    return token
  }

  deinit {
    idBytes?.deallocate()
    if logDescriptor >= 0 { _ = wpl_file_close(logDescriptor) }
  }

  var recorder: RunRecorder? { pool.locked { pool.recorder } }

  /// How the child of this attempt ended, which is about to be told.
  func noteEnd(_ end: ChildEnd) {
    pool.locked { if let recorder = pool.recorder { recorder.ends[job.index] = end } }
  }

  /// The id, NUL-ended, for as long as this is there.
  public var cID: UnsafePointer<CChar> {
    if let idBytes { return UnsafePointer(idBytes) }
    let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: id.utf8.count + 1)
    var count = 0
    for byte in id.utf8 {
      bytes[count] = CChar(bitPattern: byte)
      count += 1
    }
    bytes[count] = 0
    idBytes = bytes
    return UnsafePointer(bytes)
  }

  /// Something for all subscribers to know.
  public func warn(_ text: String) { pool.warn(job, text) }

  /// How far it is: of `total`, 0: nobody knows. For subscribers; a record does not have it.
  public func progress(_ done: Int64, of total: Int64) {
    tell(.jobProgress) {
      $0.item = done
      $0.count = total
    }
  }

  func tell(_ kind: JobEvent.Kind, _ fill: (inout JobEvent) -> Void) {
    pool.apply { $0.report(kind, job, at: $1, fill) }
  }

  /// A line for those who listen to the pool's words, and, where a record is kept, in the attempt's log.
  ///
  /// - Parameter data: JSON, one value; empty: none.
  /// - Throws: `invalidArgument` if that is no JSON, `ioFailed`.
  public func log(
    _ level: JobLogLevel, _ phase: String, _ text: String, data: [UInt8] = []
  ) throws(WorkpoolError) {
    var value: JSONValue?
    if !data.isEmpty {
      do throws(JSONParser.Fault) {
        value = try JSONParser.parse(data)
      } catch {
        throw WorkpoolError(.invalidArgument, "data, byte \(error.offset + 1): \(error.message)")
      }
    }
    let line = LogLine.words(phase, text, value)
    pool.log(level, job: id, String(decoding: line, as: UTF8.self))
    if let recorder { try write(level, line, recorder) }
  }

  /// With one call, so that lines stay whole.
  private func write(
    _ level: JobLogLevel, _ words: [UInt8], _ recorder: RunRecorder
  ) throws(WorkpoolError) {
    if logDescriptor < 0 {
      let path = recorder.file(id, attempt: attempt, "log")
      logDescriptor = wpl_file_open(path, Int32(WPL_OPEN_JOURNAL))
      guard logDescriptor >= 0 else {
        throw WorkpoolError(.ioFailed, "cannot create", path: path, systemError: -logDescriptor)
      }
    }
    let line = LogLine.bytes(recorder.isoTime(Clock.now), level, words)
    let failed = SmallFile.write(line, to: logDescriptor)
    guard failed == 0 else {
      throw WorkpoolError(
        .ioFailed, "cannot write", path: recorder.file(id, attempt: attempt, "log"),
        systemError: failed)
    }
  }
}

public enum JobLogLevel: Int32, Sendable {
  case debug = 0
  case info, warning, error

  var name: StaticString {
    switch self {
    case .debug: "DEBUG"
    case .info: "INFO"
    case .warning: "WARNING"
    case .error: "ERROR"
    }
  }
}

extension JobReason {
  /// What the token of a job says that shall stop for this reason.
  var cancelReason: CancelReason {
    switch self {
    case .timeout, .deadline, .runDeadline: .deadline
    case .stop, .shutdown: .parent
    default: .user
    }
  }
}
