// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

@c @implementation public func wp_pipeline_dump(
  _ pipeline: OpaquePointer!, _ write: wp_write_fn!, _ context: UnsafeMutableRawPointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let target = try checked(pipeline)
    guard let write else { throw invalid("write is NULL") }
    return eachLine(of: target.dump()) { write(context, $0, $1) } ? .ok : .stopped
  }
}

@c @implementation public func wp_pool_dump(
  _ pool: OpaquePointer!, _ write: wp_write_fn!, _ context: UnsafeMutableRawPointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let target = try required(pool, "pool").pool
    try checkFork(target)
    guard let write else { throw invalid("write is NULL") }
    return eachLine(of: target.dump()) { write(context, $0, $1) } ? .ok : .stopped
  }
}
