// SPDX-License-Identifier: MIT
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

  deinit { idBytes?.deallocate() }

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

  /// A line for those who listen to the pool's words.
  public func log(_ level: JobLogLevel, _ phase: String, _ text: String) {
    pool.log(level, job: id, phase.isEmpty ? text : "[" + phase + "] " + text)
  }
}

public enum JobLogLevel: Int32, Sendable { case debug = 0, info, warning, error }

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
