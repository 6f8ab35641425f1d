// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

@c @implementation public func wp_jobpool_create(
  _ pool: OpaquePointer!, _ options: UnsafePointer<wp_jobpool_options>!,
  _ out_jobs: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_jobs else { throw invalid("out_jobs is NULL") }
    if let pool { try checkFork(pool.pool) }
    let given = try read(options, wp_jobpool_options())
    let jobs = try JobPool(JobPool.Options(given), pool: pool?.pool)
    out_jobs.pointee = Handle.make(jobs)
    return .ok
  }
}

@c @implementation public func wp_jobpool_destroy(_ jobs: OpaquePointer!) -> Int32 {
  guard let jobs else { return WP_OK }
  return border { () throws(WorkpoolError) in
    try checkedJobs(jobs).close()
    Handle.destroy(jobs, JobPool.self)
    return .ok
  }
}

@c @implementation public func wp_jobpool_pause(_ jobs: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedJobs(jobs).pause()
    return .ok
  }
}

@c @implementation public func wp_jobpool_resume(_ jobs: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedJobs(jobs).resume()
    return .ok
  }
}

@c @implementation public func wp_jobpool_set_limits(
  _ jobs: OpaquePointer!, _ limits: UnsafePointer<wp_jobpool_limits>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    guard limits != nil else { throw invalid("limits is NULL") }
    var changed = jobs.limits
    try changed.change(try read(limits, wp_jobpool_limits()))
    try jobs.setLimits(changed)
    return .ok
  }
}

@c @implementation public func wp_jobpool_shutdown(
  _ jobs: OpaquePointer!, _ waits: Int32, _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedJobs(jobs).shutdown(waits: waits != 0, timeout: timeout_ns)
    return .ok
  }
}

@c @implementation public func wp_jobpool_stop(_ jobs: OpaquePointer!, _ mode: UInt32) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    guard mode <= UInt32(WP_STOP_NOW) else { throw invalid("mode is \(mode)") }
    jobs.stop(mode == UInt32(WP_STOP_NOW) ? .now : .soft)
    return .ok
  }
}

@c @implementation public func wp_jobpool_cancel_all(_ jobs: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedJobs(jobs).cancelAll()
    return .ok
  }
}

@c @implementation public func wp_jobpool_submit(
  _ jobs: OpaquePointer!, _ options: UnsafePointer<wp_job_options>!, _ flags: UInt32,
  _ timeout_ns: Int64, _ out_job: UnsafeMutablePointer<wp_job>!
) -> Int32 {
  wp_jobpool_submit_many(jobs, options, 1, flags, timeout_ns, out_job)
}

@c @implementation public func wp_jobpool_submit_many(
  _ jobs: OpaquePointer!, _ options: UnsafePointer<wp_job_options>!, _ count: Int,
  _ flags: UInt32, _ timeout_ns: Int64, _ out_jobs: UnsafeMutablePointer<wp_job>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let pool = try checkedJobs(jobs)
    try checkFlags(flags, known: WP_ALLOW_FORWARD)
    if count == 0 { return .ok }
    guard let options, count > 0 else { throw invalid("options is NULL") }
    var made: [Job] = []
    made.reserveCapacity(count)
    for index in 0..<count {
      made.append(try makeJob(try read(options + index, wp_job_options()), pool.defaults, jobs))
    }
    // From here on the contexts are ours, if the jobs are accepted; else they are as they were.
    let accepted = made
    let handles = try pool.submit(
      made, allowsForward: flags & WP_ALLOW_FORWARD != 0, timeout: timeout_ns
    ) {
      for index in 0..<count {
        guard let destroy = options[index].destroy_context else { continue }
        let context = options[index].context
        accepted[index].release = { destroy(context) }
      }
    }
    if let out_jobs {
      for (index, handle) in handles.enumerated() { out_jobs[index] = handle.rawValue }
    }
    return .ok
  }
}
