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
  token?.token.reason ?? 0
}

@c @implementation public func wp_token_word(_ token: OpaquePointer!) -> UnsafePointer<UInt32>! {
  guard let token else { return nil }
  return UnsafeRawPointer(token.token.word).assumingMemoryBound(to: UInt32.self)
}
