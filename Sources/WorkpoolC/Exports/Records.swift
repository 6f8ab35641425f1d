// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

/// The record of a run, and where its reader is.
private final class RunRecord {
  let history: RunHistory
  var next = 0
  /// NUL-ended, of jobs that were told of.
  private var texts: [UnsafeMutablePointer<CChar>] = []

  init(_ history: RunHistory) { self.history = history }

  deinit { for text in texts { text.deallocate() } }

  func keep(_ text: String) -> UnsafePointer<CChar> {
    let copy = Batch.copy(Array(text.utf8))
    texts.append(copy)
    return UnsafePointer(copy)
  }
}

@c @implementation public func wp_jobpool_record_to(
  _ jobs: OpaquePointer!, _ dir: UnsafePointer<CChar>!,
  _ options: UnsafePointer<wp_record_options>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    let given = try read(options, wp_record_options())
    let folder = try text(dir, "dir")
    var options = RecordOptions()
    switch given.sync {
    case WP_SYNC_GROUP: options.sync = .group
    case WP_SYNC_ALWAYS: options.sync = .always
    case WP_SYNC_NONE: options.sync = .none
    default: throw invalid("sync is \(given.sync)")
    }
    if let id = given.run_id {
      options.runID = String(cString: id)
      guard RunName.fileName(options.runID) == options.runID else {
        throw invalid("run_id has other characters than letters, digits, '.', '_' and '-'")
      }
    }
    if let name = given.name { options.name = String(cString: name) }
    guard !folder.isEmpty else { throw invalid("dir is empty") }
    try jobs.record(to: folder, options)
    return .ok
  }
}

@c @implementation public func wp_jobpool_run_folder(
  _ jobs: OpaquePointer!, _ buffer: UnsafeMutablePointer<CChar>!, _ size: Int,
  _ out_length: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let run = try checkedJobs(jobs).recordedRun else {
      throw WorkpoolError(.invalidState, "there is no record")
    }
    try give(run.folder, buffer, size, out_length)
    return .ok
  }
}

@c @implementation public func wp_run_record_open(
  _ dir: UnsafePointer<CChar>!, _ run: UnsafePointer<CChar>!,
  _ out_record: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let dir = try text(dir, "dir")
    guard let out_record else { throw invalid("out_record is NULL") }
    let folder = try Runs.folder(run.map { String(cString: $0) }, in: dir)
    out_record.pointee = Handle.make(RunRecord(try RunHistory(folder: folder)))
    return .ok
  }
}

@c @implementation public func wp_run_record_next_job(
  _ record: OpaquePointer!, _ out_job: UnsafeMutablePointer<wp_run_job>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let record: RunRecord = try required(record, "record").object()
    let room = try checkSize(out_job)
    guard record.next < record.history.jobs.count else { return .end }
    let job = record.history.jobs[record.next]
    record.next += 1
    room.pointee = wp_run_job(
      struct_size: room.pointee.struct_size,
      state: Int32((JobState.named(job.state) ?? .pending).rawValue),
      reason: Int32((JobReason.named(job.reason) ?? .none).rawValue),
      detail: Int32(clamping: job.detail), attempts: Int32(clamping: job.attempts.count),
      interrupted: job.isInterrupted ? 1 : 0, start_ns: job.attempts.first?.start ?? -1,
      end_ns: job.ended ?? -1, id: record.keep(job.id), text: record.keep(job.text),
      added_by: record.keep(job.adder ?? ""), definition: record.keep(job.hash))
    return .ok
  }
}

@c @implementation public func wp_run_record_close(_ record: OpaquePointer!) -> Int32 {
  if let record { Handle.destroy(record, RunRecord.self) }
  return WP_OK
}

@c @implementation public func wp_jobpool_resume_from(
  _ jobs: OpaquePointer!, _ record: OpaquePointer!, _ orphans: UInt32
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    let record: RunRecord = try required(record, "record").object()
    let choice: Orphans.Choice
    switch orphans {
    case WP_ORPHANS_REFUSE: choice = .refuse
    case WP_ORPHANS_KILL: choice = .kill
    case WP_ORPHANS_WAIT: choice = .wait
    case WP_ORPHANS_IGNORE: choice = .ignore
    default: throw invalid("orphans is \(orphans)")
    }
    try jobs.resume(from: try RunResume(record.history.path, orphans: choice))
    return .ok
  }
}
