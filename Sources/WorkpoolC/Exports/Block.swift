// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

private func native(
  _ block: UnsafeMutablePointer<wp_block>?
) throws(WorkpoolError) -> UnsafeMutablePointer<Block> {
  guard let block else { throw invalid("block is NULL") }
  return UnsafeMutableRawPointer(block).assumingMemoryBound(to: Block.self)
}

@c @implementation public func wp_block_reserve(
  _ block: UnsafeMutablePointer<wp_block>!, _ capacity: Int
) -> Int32 {
  border { () throws(WorkpoolError) in try native(block).reserve(capacity) ? .ok : .noMemory }
}

@c @implementation public func wp_block_spare(
  _ block: UnsafeMutablePointer<wp_block>!, _ capacity: Int,
  _ out_data: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_data else { throw invalid("out_data is NULL") }
    out_data.pointee = try native(block).spare(capacity)
    return out_data.pointee == nil ? .noMemory : .ok
  }
}

@c @implementation public func wp_block_commit_spare(
  _ block: UnsafeMutablePointer<wp_block>!, _ size: Int
) -> Int32 {
  border { () throws(WorkpoolError) in
    try native(block).commitSpare(size: size) ? .ok : .invalidArgument
  }
}

@c @implementation public func wp_block_set_data(
  _ block: UnsafeMutablePointer<wp_block>!, _ data: UnsafeMutableRawPointer!, _ size: Int,
  _ release: wp_release_fn!, _ release_context: UnsafeMutableRawPointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard size >= 0, data != nil || size == 0 else { throw invalid("size without data") }
    try native(block).setData(data, size: size, release: release, context: release_context)
    return .ok
  }
}

@c @implementation public func wp_block_fail(
  _ block: UnsafeMutablePointer<wp_block>!, _ code: Int32, _ text: UnsafePointer<CChar>!
) -> Int32 {
  guard let block else { return WP_INVALID_ARGUMENT }
  let native = UnsafeMutableRawPointer(block).assumingMemoryBound(to: Block.self)
  return native.fail(
    code, UnsafeRawBufferPointer(start: text, count: text.map { strlen($0) } ?? 0))
}

@c @implementation public func wp_block_release(_ block: UnsafeMutablePointer<wp_block>!) {
  guard let block else { return }
  PipelineResult(block: block).release()
}
