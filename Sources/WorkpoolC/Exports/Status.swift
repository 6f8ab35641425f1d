// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

@c @implementation public func wp_status_name(_ status: Int32) -> UnsafePointer<CChar>! {
  characters(Status(rawValue: status).name)
}

@c @implementation public func wp_status_text(_ status: Int32) -> UnsafePointer<CChar>! {
  characters(Status(rawValue: status).text)
}

@c @implementation public func wp_last_error() -> Int32 { wpl_last_error_code() }

@c @implementation public func wp_last_error_text() -> UnsafePointer<CChar>! {
  wpl_last_error_text()
}

@c @implementation public func wp_last_error_errno() -> Int32 { wpl_last_error_errno() }

@c @implementation public func wp_usable_cpus() -> UInt32 { UInt32(Pool.usableCPUs) }

@c @implementation public func wp_worker_index() -> Int32 { Pool.currentWorker ?? -1 }

/// A literal ends with NUL.
func characters(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
