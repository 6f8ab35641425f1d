// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

@c @implementation public func wp_job_event_name(_ kind: Int32) -> UnsafePointer<CChar>! {
  guard kind >= 0 else { return characters("unknown") }
  return characters(JobEvent.Kind(rawValue: UInt8(clamping: kind))?.name ?? "unknown")
}

@c @implementation public func wp_jobpool_subscribe(
  _ jobs: OpaquePointer!, _ mask: UInt32, _ fn: wp_job_event_fn!,
  _ context: UnsafeMutableRawPointer!,
  _ destroy_context: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!,
  _ out_id: UnsafeMutablePointer<UInt64>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    guard let fn, let out_id else { throw invalid("fn or out_id is NULL") }
    let destroyer = Destroyer(context, destroy_context)
    out_id.pointee = try jobs.subscribe(mask) { event in
      withExtendedLifetime(destroyer) { tell(fn, context, event) }
    }
    destroyer.isArmed = true
    return .ok
  }
}

private func tell(
  _ fn: wp_job_event_fn, _ context: UnsafeMutableRawPointer?, _ event: JobEvent
) {
  withTexts([event.id, event.text] + event.chain) { texts in
    var shown = wp_job_event()
    shown.struct_size = UInt32(MemoryLayout<wp_job_event>.size)
    shown.kind = Int32(event.kind.rawValue)
    shown.seq = event.seq
    shown.time_ns = event.time
    shown.job = event.job?.rawValue ?? 0
    shown.id = texts[0]
    shown.state = Int32(event.state.rawValue)
    shown.reason = Int32(event.reason.rawValue)
    shown.detail = event.detail
    shown.attempt = event.attempt
    shown.slot = event.slot
    shown.chain_count = UInt32(event.chain.count)
    shown.text = texts[1]
    shown.item = event.item
    shown.count = event.count
    shown.process = event.process
    texts.withUnsafeBufferPointer { all in
      shown.chain = event.chain.isEmpty ? nil : all.baseAddress.map { $0 + 2 }
      fn(context, &shown)
    }
  }
}

/// NUL-ended, during the call.
private func withTexts(_ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> Void) {
  var bytes: [CChar] = []
  var starts: [Int] = []
  for text in texts {
    starts.append(bytes.count)
    for byte in text.utf8 { bytes.append(CChar(bitPattern: byte)) }
    bytes.append(0)
  }
  bytes.withUnsafeBufferPointer { all in
    body(starts.map { start in all.baseAddress.map { $0 + start } })
  }
}

@c @implementation public func wp_jobpool_unsubscribe(
  _ jobs: OpaquePointer!, _ id: UInt64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedJobs(jobs).unsubscribe(id)
    return .ok
  }
}

@c @implementation public func wp_jobpool_on_complete(
  _ jobs: OpaquePointer!, _ fn: wp_job_end_fn!, _ context: UnsafeMutableRawPointer!,
  _ destroy_context: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let handle = jobs
    let jobs = try checkedJobs(jobs)
    guard let fn else { throw invalid("fn is NULL") }
    let destroyer = Destroyer(context, destroy_context)
    _ = try jobs.onComplete { job in
      withExtendedLifetime(destroyer) { fn(context, handle, job.rawValue) }
    }
    destroyer.isArmed = true
    return .ok
  }
}

@c @implementation public func wp_jobpool_set_log(
  _ jobs: OpaquePointer!, _ fn: wp_job_log_fn!, _ context: UnsafeMutableRawPointer!,
  _ destroy_context: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    guard let fn else {
      jobs.setLog(nil)
      return .ok
    }
    let destroyer = Destroyer(context, destroy_context)
    destroyer.isArmed = true
    jobs.setLog { level, id, text in
      withTexts([id, text]) { texts in
        withExtendedLifetime(destroyer) { fn(context, level.rawValue, texts[0], texts[1]) }
      }
    }
    return .ok
  }
}

@c @implementation public func wp_jobpool_get_status(
  _ jobs: OpaquePointer!, _ status: UnsafeMutablePointer<wp_jobpool_status>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(status)
    let known = try checkedJobs(jobs).status
    room.pointee.slots = UInt32(known.slots)
    room.pointee.io_slots = UInt32(known.ioSlots)
    room.pointee.effective_slots = UInt32(known.effectiveSlots)
    room.pointee.used_slots = UInt32(known.usedSlots)
    room.pointee.abandoned_running = UInt32(known.abandonedRunning)
    room.pointee.running_jobs = UInt64(known.runningJobs)
    room.pointee.queue_size = UInt64(known.queueSize)
    room.pointee.total_processed = UInt64(known.totalProcessed)
    withUnsafeMutableBytes(of: &room.pointee.counts) { counts in
      for (index, count) in known.counts.enumerated() {
        counts.storeBytes(of: UInt64(count), toByteOffset: 8 * index, as: UInt64.self)
      }
    }
    room.pointee.used_memory = known.usedMemory
    room.pointee.callback_errors = UInt64(known.callbackErrors)
    return .ok
  }
}

@c @implementation public func wp_jobpool_get_metrics(
  _ jobs: OpaquePointer!, _ metrics: UnsafeMutablePointer<wp_jobpool_metrics>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(metrics)
    let known = try checkedJobs(jobs).metrics
    room.pointee = wp_jobpool_metrics(
      struct_size: room.pointee.struct_size, reserved: 0,
      total_processed: UInt64(known.totalProcessed), retries: UInt64(known.retries),
      timeouts: UInt64(known.timeouts), crashes: UInt64(known.crashes),
      peak_running: UInt64(known.peakRunning), peak_memory: known.peakMemory,
      avg_wait_time: known.averageWait, avg_dependency_time: known.averageDependency,
      avg_execution_time: known.averageExecution, success_rate: known.successRate,
      cpu_seconds: known.cpuSeconds, parallelism_factor: known.parallelismFactor,
      slot_use: known.slotUse, p50: known.medianExecution, p95: known.execution95)
    return .ok
  }
}

@c @implementation public func wp_jobpool_timeline(
  _ jobs: OpaquePointer!, _ fn: wp_job_bar_fn!, _ context: UnsafeMutableRawPointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let jobs = try checkedJobs(jobs)
    guard let fn else { throw invalid("fn is NULL") }
    for bar in jobs.chart.bars {
      var code: Int32 = 0
      withTexts([bar.id]) { texts in
        var shown = wp_job_bar()
        shown.struct_size = UInt32(MemoryLayout<wp_job_bar>.size)
        shown.attempt = bar.attempt
        shown.id = texts[0]
        shown.start_time = Double(bar.start) / 1e9
        shown.duration = Double(bar.end - bar.start) / 1e9
        shown.slot = bar.slot
        shown.lane = Int32(bar.lane.rawValue)
        shown.state = Int32(bar.state.rawValue)
        code = fn(context, &shown)
      }
      if code != 0 { return .stopped }
    }
    return .ok
  }
}

@c @implementation public func wp_jobpool_write_trace(
  _ jobs: OpaquePointer!, _ path: UnsafePointer<CChar>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let chart = try checkedJobs(jobs).chart
    try replaceFile(try text(path, "path"), with: chart.traceText)
    return .ok
  }
}

@c @implementation public func wp_jobpool_write_svg(
  _ jobs: OpaquePointer!, _ path: UnsafePointer<CChar>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let chart = try checkedJobs(jobs).chart
    try replaceFile(try text(path, "path"), with: chart.svgText)
    return .ok
  }
}
