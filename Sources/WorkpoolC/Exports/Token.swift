// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

@c @implementation public func wp_token_create(
  _ parent: OpaquePointer!, _ out_token: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_token else { throw invalid("out_token is NULL") }
    out_token.pointee = Handle.make(try Token(parent: try checkedToken(parent)))
    return .ok
  }
}

@c @implementation public func wp_token_destroy(_ token: OpaquePointer!) -> Int32 {
  guard let token else { return WP_OK }
  return border { () throws(WorkpoolError) in
    try checkFork(token.token.forkGeneration)
    guard !token.token.isObserved else {
      throw WorkpoolError(.busy, "a pipeline or a token below it uses the token")
    }
    Handle.destroy(token, Token.self)
    return .ok
  }
}

@c @implementation public func wp_token_cancel(_ token: OpaquePointer!) {
  token?.token.cancel(.user)
}

@c @implementation public func wp_token_cancel_from_signal(_ token: OpaquePointer!) {
  token?.token.mark(.user)
}

@c @implementation public func wp_token_is_cancelled(_ token: OpaquePointer!) -> UInt32 {
  guard let token else { return 0 }
  // Loops call this millions of times a second: nothing is counted meanwhile.
  return Unmanaged<Token>.fromOpaque(UnsafeRawPointer(token))._withUnsafeGuaranteedRef { $0.reason }
}

@c @implementation public func wp_token_word(_ token: OpaquePointer!) -> UnsafePointer<UInt32>! {
  guard let token else { return nil }
  return UnsafeRawPointer(token.token.word).assumingMemoryBound(to: UInt32.self)
}

@c @implementation public func wp_token_wait(
  _ token: OpaquePointer!, _ timeout_ns: Int64
) -> Int32 {
  border { () throws(WorkpoolError) in
    let token = try required(token, "token").token
    try checkFork(token.forkGeneration)
    return try token.wait(timeout: timeout_ns) ? .ok : .timedOut
  }
}

@c @implementation public func wp_token_on_cancel(
  _ token: OpaquePointer!, _ fn: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!,
  _ context: UnsafeMutableRawPointer!,
  _ destroy_context: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let token = try required(token, "token").token
    try checkFork(token.forkGeneration)
    guard let fn else { throw invalid("fn is NULL") }
    let destroyer = Destroyer(context, destroy_context)
    token.onCancel { withExtendedLifetime(destroyer) { fn(context) } }
    destroyer.isArmed = true
    return .ok
  }
}

@c @implementation public func wp_token_fd(_ token: OpaquePointer!) -> Int32 {
  do throws(WorkpoolError) {
    let token = try required(token, "token").token
    try checkFork(token.forkGeneration)
    return try token.descriptor()
  } catch {
    return report(error)
  }
}

@c @implementation public func wp_token_reset(_ token: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    let token = try required(token, "token").token
    try checkFork(token.forkGeneration)
    try token.reset()
    return .ok
  }
}
