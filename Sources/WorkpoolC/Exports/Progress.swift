// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

@c @implementation public func wp_pipeline_subscribe(
  _ pipeline: OpaquePointer!, _ options: UnsafePointer<wp_subscriber_options>!,
  _ out_id: UnsafeMutablePointer<UInt64>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let target = try checked(pipeline)
    guard let out_id else { throw invalid("out_id is NULL") }
    guard options != nil else { throw invalid("a subscriber needs options") }
    let given = try read(options, wp_subscriber_options())
    guard let tell = given.fn else { throw invalid("fn is NULL") }
    guard given.reserved == 0 else { throw invalid("reserved is not 0") }
    let context = given.context
    let destroyContext = given.destroy_context
    out_id.pointee = try target.subscribe(
      every: given.interval_ns == 0 ? Pipeline.progressInterval : given.interval_ns,
      destroy: { destroyContext?(context) }
    ) { progress in
      var shown = wp_progress(progress)
      tell(context, &shown)
    }
    return .ok
  }
}

@c @implementation public func wp_pipeline_unsubscribe(
  _ pipeline: OpaquePointer!, _ id: UInt64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).unsubscribe(id)
    return .ok
  }
}

@c @implementation public func wp_pipeline_set_total(
  _ pipeline: OpaquePointer!, _ blocks: UInt64, _ bytes: UInt64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setTotal(
      blocks: blocks == .max ? nil : blocks, bytes: bytes == .max ? nil : bytes)
    return .ok
  }
}
