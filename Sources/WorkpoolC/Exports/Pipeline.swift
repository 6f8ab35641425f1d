// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

@c @implementation public func wp_pipeline_create(
  _ pool: OpaquePointer!, _ options: UnsafePointer<wp_pipeline_options>!,
  _ out_pipeline: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_pipeline else { throw invalid("out_pipeline is NULL") }
    if let pool { try checkFork(pool.pool) }
    out_pipeline.pointee = Handle.make(
      try Pipeline(on: pool?.pool, try pipelineOptions(options)))
    return .ok
  }
}

@c @implementation public func wp_pipeline_destroy(_ pipeline: OpaquePointer!) -> Int32 {
  guard let pipeline else { return WP_OK }
  return border { () throws(WorkpoolError) in
    try checkFork(pipeline)
    try pipeline.pipeline.destroy()
    Handle.destroy(pipeline, Pipeline.self)
    return .ok
  }
}

@c @implementation public func wp_pipeline_set_source(
  _ pipeline: OpaquePointer!, _ options: UnsafePointer<wp_stage_options>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setSource(try stage(options, "source", kind: .serial))
    return .ok
  }
}

@c @implementation public func wp_pipeline_add_stage(
  _ pipeline: OpaquePointer!, _ options: UnsafePointer<wp_stage_options>!
) -> Int32 {
  var number = 0
  let status = border { () throws(WorkpoolError) in
    let target = try checked(pipeline)
    number = try target.addStage(try stage(options, "stage \(target.stageCount - 1)", kind: nil))
    return .ok
  }
  return status == WP_OK ? Int32(number) : status
}

@c @implementation public func wp_pipeline_set_sink(
  _ pipeline: OpaquePointer!, _ options: UnsafePointer<wp_stage_options>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setSink(try stage(options, "sink", kind: .serial))
    return .ok
  }
}

@c @implementation public func wp_pipeline_set_max_blocks(
  _ pipeline: OpaquePointer!, _ max_blocks: UInt32
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setMaxBlocksInFlight(Int(max_blocks))
    return .ok
  }
}

@c @implementation public func wp_pipeline_set_max_bytes(
  _ pipeline: OpaquePointer!, _ max_bytes: UInt64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setMaxBytesInFlight(Int(clamping: max_bytes))
    return .ok
  }
}

@c @implementation public func wp_pipeline_start(_ pipeline: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).start()
    return .ok
  }
}

@c @implementation public func wp_pipeline_wait(
  _ pipeline: OpaquePointer!, _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in
    let pipeline = try checked(pipeline)
    return try told(try pipeline.wait(timeout: timeout_ns), pipeline)
  }
}

@c @implementation public func wp_pipeline_run(_ pipeline: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    let pipeline = try checked(pipeline)
    return try told(try pipeline.run(), pipeline)
  }
}

/// How a run has ended; if it failed, with what it failed by as the error text of this thread.
private func told(_ status: Status, _ pipeline: Pipeline) throws(WorkpoolError) -> Status {
  guard status == .stageFailed || status == .missingBlock,
    let text = try? pipeline.failureText()
  else { return status }
  throw WorkpoolError(status, text)
}

@c @implementation public func wp_pipeline_submit(
  _ pipeline: OpaquePointer!, _ payload: UnsafePointer<wp_payload>!, _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).submit(try submission(payload), timeout: timeout_ns)
  }
}

@c @implementation public func wp_pipeline_submit_numbered(
  _ pipeline: OpaquePointer!, _ number: UInt64, _ payload: UnsafePointer<wp_payload>!,
  _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).submit(
      number: number, try submission(payload), timeout: timeout_ns)
  }
}

@c @implementation public func wp_pipeline_skip(
  _ pipeline: OpaquePointer!, _ number: UInt64, _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).submit(number: number, nil, timeout: timeout_ns)
  }
}

@c @implementation public func wp_pipeline_close(_ pipeline: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).close()
    return .ok
  }
}

@c @implementation public func wp_pipeline_flush(
  _ pipeline: OpaquePointer!, _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in try checked(pipeline).flush(timeout: timeout_ns) }
}

@c @implementation public func wp_pipeline_next_result(
  _ pipeline: OpaquePointer!, _ timeout_ns: Int64,
  _ out_block: UnsafeMutablePointer<UnsafeMutablePointer<wp_block>?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_block else { throw invalid("out_block is NULL") }
    let (status, result) = try checked(pipeline).nextResult(timeout: timeout_ns)
    out_block.pointee = result.map {
      UnsafeMutableRawPointer($0.block).assumingMemoryBound(to: wp_block.self)
    }
    return status
  }
}

@c @implementation public func wp_pipeline_stop(_ pipeline: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).stop()
    return .ok
  }
}

@c @implementation public func wp_pipeline_cancel(_ pipeline: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).cancel()
    return .ok
  }
}

@c @implementation public func wp_pipeline_set_weight(
  _ pipeline: OpaquePointer!, _ weight: UInt32
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setWeight(Int(weight))
    return .ok
  }
}

@c @implementation public func wp_pipeline_result(
  _ pipeline: OpaquePointer!, _ result: UnsafeMutablePointer<wp_result>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(result)
    let outcome = try checked(pipeline).result()
    room.pointee = wp_result(
      struct_size: room.pointee.struct_size, status: outcome.status.rawValue,
      number: outcome.number ?? .max, source_number: outcome.sourceNumber ?? .max,
      stage: outcome.stage.map(UInt32.init) ?? .max,
      code: outcome.code, blocks_delivered: outcome.delivered,
      blocks_dropped: outcome.dropped, blocks_cut: outcome.cut, blocks_failed: outcome.failed,
      errors: outcome.errors, errors_not_kept: outcome.errorsNotKept)
    return .ok
  }
}

@c @implementation public func wp_pipeline_error(
  _ pipeline: OpaquePointer!, _ index: Int, _ entry: UnsafeMutablePointer<wp_error_entry>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(entry)
    let errors = try checked(pipeline).errors()
    guard index >= 0 && index < errors.count else { return .end }
    room.pointee.code = errors[index].code
    room.pointee.number = errors[index].number
    room.pointee.source_number = errors[index].sourceNumber
    room.pointee.stage = UInt32(errors[index].stage)
    room.pointee.reserved = 0
    withUnsafeMutableBytes(of: &room.pointee.text) { copy(errors[index].text, into: $0) }
    return .ok
  }
}

@c @implementation public func wp_pipeline_stage_statistics(
  _ pipeline: OpaquePointer!, _ stage: UInt32,
  _ statistics: UnsafeMutablePointer<wp_stage_statistics>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(statistics)
    let s = try checked(pipeline).statistics(ofStage: Int(stage))
    room.pointee.kind = s.kind.rawValue
    withUnsafeMutableBytes(of: &room.pointee.name) { copy(s.name, into: $0) }
    room.pointee.calls = s.calls
    room.pointee.blocks_in = s.blocksIn
    room.pointee.blocks_out = s.blocksOut
    room.pointee.blocks_dropped = s.blocksDropped
    room.pointee.blocks_cut = s.blocksCut
    room.pointee.blocks_failed = s.blocksFailed
    room.pointee.bytes_in = s.bytesIn
    room.pointee.bytes_out = s.bytesOut
    room.pointee.busy_ns = s.busyNanoseconds
    room.pointee.cpu_ns = s.cpuNanoseconds
    room.pointee.timed_calls = s.timedCalls
    room.pointee.call_min_ns = s.minNanoseconds
    room.pointee.call_max_ns = s.maxNanoseconds
    room.pointee.call_p50_ns = s.p50Nanoseconds
    room.pointee.call_p99_ns = s.p99Nanoseconds
    room.pointee.order_wait_ns = s.orderWaitNanoseconds
    room.pointee.place_wait_ns = s.placeWaitNanoseconds
    room.pointee.parked = s.parked
    room.pointee.parked_now = s.parkedNow
    room.pointee.parked_max = s.parkedMax
    room.pointee.concurrency_max = s.concurrencyMax
    return .ok
  }
}

@c @implementation public func wp_pipeline_memory(_ pipeline: OpaquePointer!) -> UInt64 {
  // A handle of a parent process has nothing here.
  guard let pipeline, (try? checked(pipeline)) != nil else { return 0 }
  return UInt64(pipeline.pipeline.memory)
}

@c @implementation public func wp_pipeline_statistics_get(
  _ pipeline: OpaquePointer!, _ statistics: UnsafeMutablePointer<wp_pipeline_statistics>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(statistics)
    let s = try checked(pipeline).statistics()
    room.pointee = wp_pipeline_statistics(
      struct_size: room.pointee.struct_size, stages: UInt32(s.stages),
      wall_ns: s.wallNanoseconds, blocks_in: s.blocksIn, blocks_out: s.blocksOut,
      bytes_in: s.bytesIn, bytes_out: s.bytesOut, in_flight: s.inFlight,
      in_flight_max: s.inFlightMax, bytes_in_flight: s.bytesInFlight,
      bytes_in_flight_max: s.bytesInFlightMax, limit: s.limit, throttled_ns: s.throttledNanoseconds,
      starved_ns: s.starvedNanoseconds, submit_wait_ns: s.submitWaitNanoseconds,
      result_wait_ns: s.resultWaitNanoseconds, carried: s.carried,
      handed_over: s.handedOver, wakes: s.wakes,
      bottleneck_stage: s.bottleneckStage.map(UInt32.init) ?? .max, reserved: 0,
      timeline_events_lost: s.timelineEventsLost)
    return .ok
  }
}

@c @implementation public func wp_pipeline_write_timeline(
  _ pipeline: OpaquePointer!,
  _ write: (@convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32)!,
  _ context: UnsafeMutableRawPointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let write else { throw invalid("write is NULL") }
    try checked(pipeline).writeTimeline { (text) throws(WorkpoolError) in
      let code = write(context, text.baseAddress, text.count)
      if code != 0 {
        throw WorkpoolError(
          code < 0 ? Status(rawValue: code) : .ioFailed, "the timeline was not taken")
      }
    }
    return .ok
  }
}
