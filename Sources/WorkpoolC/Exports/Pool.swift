// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

@c @implementation public func wp_pool_create(
  _ options: UnsafePointer<wp_pool_options>!,
  _ out_pool: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_pool else { throw invalid("out_pool is NULL") }
    let given = try read(options, wp_pool_options())
    try checkFlags(given.flags, known: WP_POOL_ALLOW_FEWER_WORKERS)
    guard given.workers <= UInt32(Pool.mostWorkers) else {
      throw invalid("workers is \(given.workers), at most 1024 are possible")
    }
    guard given.max_workers <= UInt32(Pool.mostWorkers) else {
      throw invalid("max_workers is \(given.max_workers), at most 1024 are possible")
    }
    guard given.stack_size <= 1 << 40 else { throw invalid("stack_size is too large") }
    var wanted = Pool.Options()
    wanted.workers = Int(given.workers)
    wanted.maxWorkers = Int(given.max_workers)
    wanted.stackSize = Int(given.stack_size)
    wanted.allowsFewerWorkers = given.flags & WP_POOL_ALLOW_FEWER_WORKERS != 0
    if let prefix = given.name_prefix { wanted.namePrefix = String(cString: prefix) }
    guard given.host_workers <= UInt32(Pool.mostWorkers) else {
      throw invalid("host_workers is \(given.host_workers)")
    }
    wanted.hostWorkers = Int(given.host_workers)
    guard given.blocking_extra <= UInt32(Pool.mostWorkers) else {
      throw invalid("blocking_extra is \(given.blocking_extra), at most 1024 are possible")
    }
    wanted.blockingExtra = Int(given.blocking_extra)
    wanted.hooks.threadStart = given.thread_start
    wanted.hooks.threadStop = given.thread_stop
    wanted.hooks.context = given.context
    wanted.hooks.destroyContext = given.destroy_context
    out_pool.pointee = Handle.make(try Pool(wanted))
    return .ok
  }
}

@c @implementation public func wp_pool_destroy(_ pool: OpaquePointer!) -> Int32 {
  guard let pool else { return WP_OK }
  return border { () throws(WorkpoolError) in
    try checkFork(pool.pool)
    try pool.pool.close()
    Handle.destroy(pool, Pool.self)
    return .ok
  }
}

@c @implementation public func wp_pool_memory(_ pool: OpaquePointer!) -> UInt64 {
  guard let pool else { return 0 }
  return UInt64(pool.pool.memory)
}

@c @implementation public func wp_pool_workers(_ pool: OpaquePointer!) -> UInt32 {
  guard let pool, isOfThisProcess(pool.pool) else { return 0 }
  return UInt32(pool.pool.workerCount)
}

@c @implementation public func wp_pool_set_workers(
  _ pool: OpaquePointer!, _ workers: UInt32
) -> Int32 {
  border { () throws(WorkpoolError) in
    let pool = try required(pool, "pool").pool
    try checkFork(pool)
    try pool.setWorkers(Int(workers))
    return .ok
  }
}

@c @implementation public func wp_pool_run_worker(
  _ pool: OpaquePointer!, _ token: OpaquePointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let pool = try required(pool, "pool").pool
    try checkFork(pool)
    return try pool.runWorker(until: try checkedToken(token))
  }
}

@c @implementation public func wp_pool_worker_statistics(
  _ pool: OpaquePointer!, _ index: UInt32,
  _ statistics: UnsafeMutablePointer<wp_worker_statistics>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let room = try checkSize(statistics)
    let pool = try required(pool, "pool").pool
    try checkFork(pool)
    let s = try pool.statistics(ofWorker: Int(index))
    room.pointee = wp_worker_statistics(
      struct_size: room.pointee.struct_size, is_host_thread: s.isHostThread ? 1 : 0,
      wall_ns: s.wallNanoseconds, busy_ns: s.busyNanoseconds, blocked_ns: s.blockedNanoseconds,
      engine_ns: s.engineNanoseconds, idle_ns: s.idleNanoseconds, calls: s.calls, wakes: s.wakes)
    return .ok
  }
}
