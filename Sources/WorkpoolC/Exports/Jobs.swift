// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

@c @implementation public func wp_job_state_name(_ state: Int32) -> UnsafePointer<CChar>! {
  characters(JobState(rawValue: UInt8(clamping: state))?.name ?? "UNKNOWN")
}

@c @implementation public func wp_job_reason_name(_ reason: Int32) -> UnsafePointer<CChar>! {
  guard reason >= 0 else { return characters("unknown") }
  return characters(JobReason(rawValue: UInt8(clamping: reason))?.name ?? "unknown")
}

/// What is known of a job.
private func view(
  _ jobs: OpaquePointer!, _ job: wp_job
) throws(WorkpoolError) -> JobView {
  guard let view = try checkedJobs(jobs).view(JobHandle(rawValue: job)) else {
    throw WorkpoolError(.notFound, "there is no such job")
  }
  return view
}

/// A number that is none of the errors.
private func number(_ body: () throws(WorkpoolError) -> Int32) -> Int32 {
  do throws(WorkpoolError) {
    return try body()
  } catch {
    return report(error)
  }
}

@c @implementation public func wp_job_find(
  _ jobs: OpaquePointer!, _ id: UnsafePointer<CChar>!, _ out_job: UnsafeMutablePointer<wp_job>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    guard let out_job else { throw invalid("out_job is NULL") }
    let id = try text(id, "id")
    guard let found = jobs.find(id) else {
      throw WorkpoolError(.notFound, "there is no job \(id)")
    }
    out_job.pointee = found.rawValue
    return .ok
  }
}

@c @implementation public func wp_job_state(_ jobs: OpaquePointer!, _ job: wp_job) -> Int32 {
  number { () throws(WorkpoolError) in Int32(try view(jobs, job).state.rawValue) }
}

@c @implementation public func wp_job_reason(
  _ jobs: OpaquePointer!, _ job: wp_job, _ out_detail: UnsafeMutablePointer<Int32>!
) -> Int32 {
  number { () throws(WorkpoolError) in
    let view = try view(jobs, job)
    if let out_detail { out_detail.pointee = view.detail }
    return Int32(view.reason.rawValue)
  }
}

@c @implementation public func wp_job_get_info(
  _ jobs: OpaquePointer!, _ job: wp_job, _ info: UnsafeMutablePointer<wp_job_info>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(info)
    let view = try view(jobs, job)
    room.pointee = wp_job_info(
      struct_size: room.pointee.struct_size, state: Int32(view.state.rawValue),
      reason: Int32(view.reason.rawValue), detail: view.detail, attempt: view.attempt,
      cancel_requested: view.wasCancelRequested ? 1 : 0, abandoned: view.isAbandoned ? 1 : 0,
      still_running: view.isStillRunning ? 1 : 0, priority: view.spec.priority, reserved: 0,
      submit_ns: view.submitTime, ready_ns: view.readyTime, start_ns: view.startTime,
      end_ns: view.endTime)
    return .ok
  }
}

@c @implementation public func wp_job_id(
  _ jobs: OpaquePointer!, _ job: wp_job, _ buffer: UnsafeMutablePointer<CChar>!, _ size: Int,
  _ out_length: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try give(try view(jobs, job).spec.id, buffer, size, out_length)
    return .ok
  }
}

@c @implementation public func wp_job_error(
  _ jobs: OpaquePointer!, _ job: wp_job, _ buffer: UnsafeMutablePointer<CChar>!, _ size: Int,
  _ out_length: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try give(try view(jobs, job).text, buffer, size, out_length)
    return .ok
  }
}

@c @implementation public func wp_job_cause_text(
  _ jobs: OpaquePointer!, _ job: wp_job, _ buffer: UnsafeMutablePointer<CChar>!, _ size: Int,
  _ out_length: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let view = try view(jobs, job)
    try give(try checkedJobs(jobs).causeText(view.job), buffer, size, out_length)
    return .ok
  }
}

@c @implementation public func wp_job_cause_chain(
  _ jobs: OpaquePointer!, _ job: wp_job, _ out_jobs: UnsafeMutablePointer<wp_job>!,
  _ room: Int, _ out_count: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let view = try view(jobs, job)
    guard out_jobs != nil || room == 0 else { throw invalid("out_jobs is NULL") }
    let chain = try checkedJobs(jobs).causes(view.job)
    for (index, cause) in chain.prefix(max(0, room)).enumerated() {
      out_jobs[index] = cause.rawValue
    }
    if let out_count { out_count.pointee = chain.count }
    return .ok
  }
}

@c @implementation public func wp_job_attempt_count(
  _ jobs: OpaquePointer!, _ job: wp_job
) -> Int32 {
  number { () throws(WorkpoolError) in try view(jobs, job).attempt }
}

@c @implementation public func wp_job_attempt_info(
  _ jobs: OpaquePointer!, _ job: wp_job, _ index: UInt32,
  _ attempt: UnsafeMutablePointer<wp_job_attempt>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(attempt)
    let attempts = try checkedJobs(jobs).attempts(try view(jobs, job).job)
    guard Int(index) < attempts.count else { return .end }
    let known = attempts[Int(index)]
    room.pointee = wp_job_attempt(
      struct_size: room.pointee.struct_size, attempt: known.number, slot: known.slot,
      state: Int32(known.state.rawValue), reason: Int32(known.reason.rawValue),
      detail: known.detail, start_ns: known.start, end_ns: known.end,
      cpu_ns: known.cpuNanoseconds, peak_memory: known.peakMemory)
    return .ok
  }
}

@c @implementation public func wp_job_result(
  _ jobs: OpaquePointer!, _ job: wp_job, _ buffer: UnsafeMutableRawPointer!, _ size: Int,
  _ out_length: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let result = try checkedJobs(jobs).result(try view(jobs, job).job) ?? []
    guard buffer != nil || size == 0 else { throw invalid("buffer is NULL") }
    if let buffer {
      UnsafeMutableRawBufferPointer(start: buffer, count: max(0, size)).copyBytes(
        from: result.prefix(max(0, size)))
    }
    if let out_length { out_length.pointee = result.count }
    return .ok
  }
}

@c @implementation public func wp_job_release(_ jobs: OpaquePointer!, _ job: wp_job) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedJobs(jobs).release(JobHandle(rawValue: job))
    return .ok
  }
}

@c @implementation public func wp_job_cancel(_ jobs: OpaquePointer!, _ job: wp_job) -> Int32 {
  number { () throws(WorkpoolError) in
    guard let former = try checkedJobs(jobs).cancel(JobHandle(rawValue: job)) else {
      throw WorkpoolError(.notFound, "there is no such job")
    }
    return Int32(former.rawValue)
  }
}

@c @implementation public func wp_job_wait(
  _ jobs: OpaquePointer!, _ job: wp_job, _ timeout_ns: Int64, _ flags: UInt32
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    try checkFlags(flags, known: WP_WAIT_HELP)
    return try jobs.wait(
      for: JobHandle(rawValue: job), timeout: timeout_ns, helps: flags & WP_WAIT_HELP != 0)
  }
}

@c @implementation public func wp_jobpool_wait_any(
  _ jobs: OpaquePointer!, _ some: UnsafePointer<wp_job>!, _ count: Int, _ timeout_ns: Int64,
  _ flags: UInt32, _ out_index: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    try checkFlags(flags, known: WP_WAIT_HELP)
    guard let some, count > 0 else { throw invalid("there are no jobs to wait for") }
    let (status, index) = try jobs.wait(
      forAnyOf: (0..<count).map { JobHandle(rawValue: some[$0]) }, timeout: timeout_ns,
      helps: flags & WP_WAIT_HELP != 0)
    if let out_index { out_index.pointee = index }
    return status
  }
}

@c @implementation public func wp_jobpool_wait_all(
  _ jobs: OpaquePointer!, _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedJobs(jobs).waitForAll(timeout: timeout_ns)
  }
}

// MARK: Inside a job's function

@c @implementation public func wp_job_context_job(_ job: OpaquePointer!) -> wp_job {
  context(job)?.job.rawValue ?? 0
}

@c @implementation public func wp_job_context_id(_ job: OpaquePointer!) -> UnsafePointer<CChar>! {
  context(job)?.cID
}

@c @implementation public func wp_job_context_attempt(_ job: OpaquePointer!) -> Int32 {
  context(job)?.attempt ?? 0
}

@c @implementation public func wp_job_context_slot(_ job: OpaquePointer!) -> Int32 {
  context(job)?.slot ?? -1
}

@c @implementation public func wp_job_context_token(_ job: OpaquePointer!) -> OpaquePointer! {
  // Without memory there is none, and the error is this thread's last one.
  do throws(WorkpoolError) {
    guard let token = try context(job)?.token() else { return nil }
    return OpaquePointer(Unmanaged.passUnretained(token).toOpaque())
  } catch {
    _ = report(error)
    return nil
  }
}

@c @implementation public func wp_job_context_set_result(
  _ job: OpaquePointer!, _ data: UnsafeRawPointer!, _ size: Int
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let context = context(job), size >= 0, data != nil || size == 0 else {
      throw invalid("job or data is NULL")
    }
    context.result = Array(UnsafeRawBufferPointer(start: data, count: size))
    return .ok
  }
}

@c @implementation public func wp_job_context_set_error(
  _ job: OpaquePointer!, _ type: UnsafePointer<CChar>!, _ text: UnsafePointer<CChar>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let context = context(job), let text else { throw invalid("job or text is NULL") }
    context.isException = type != nil
    context.errorText = (type.map { String(cString: $0) + ": " } ?? "") + String(cString: text)
    return .ok
  }
}

@c @implementation public func wp_job_context_progress(
  _ job: OpaquePointer!, _ done: UInt64, _ total: UInt64
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let context = context(job) else { throw invalid("job is NULL") }
    context.progress(Int64(clamping: done), of: Int64(clamping: total))
    return .ok
  }
}

@c @implementation public func wp_job_context_log(
  _ job: OpaquePointer!, _ level: Int32, _ phase: UnsafePointer<CChar>!,
  _ line: UnsafePointer<CChar>!, _ json: UnsafePointer<CChar>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let context = context(job), let line else { throw invalid("job or text is NULL") }
    guard let level = JobLogLevel(rawValue: level) else { throw invalid("level is \(level)") }
    let data = json.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    try context.log(
      level, phase.map { String(cString: $0) } ?? "", String(cString: line), data: data ?? [])
    return .ok
  }
}
